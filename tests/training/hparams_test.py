import dataclasses
import struct

import pytest
from tensorboard.plugins.hparams import metadata

from tests.testing import train_config
from tests.training.graph_test import a_manifest
from vgg_slim import tensorboard
from vgg_slim.compat import tf
from vgg_slim.configs.config import FineTuneConfig
from vgg_slim.training import hparams
from vgg_slim.training.history import EpochMetrics


def epoch(loss, accuracy):
  return EpochMetrics(1, 1.0, 0.5, 0.5, loss, accuracy, 0.1, 9.0)


def test_the_plugin_reads_a_run_as_a_row():
  config = dataclasses.replace(
    train_config('data', a_manifest()), fine_tune=FineTuneConfig(trainable_scopes=('a', 'b'))
  )
  described = hparams.describe_run(hparams.list_settings(config), 'runs/x')
  content = {value.tag: value.metadata.plugin_data.content for value in described.value}
  row = metadata.parse_session_start_info_plugin_data(content[metadata.SESSION_START_INFO_TAG])
  assert row.hparams['learning_rate'].number_value == config.optimizer.learning_rate
  assert row.hparams['model'].string_value == config.net.model
  assert row.hparams['random_flip'].bool_value is config.preprocessing.random_flip
  assert row.hparams['trainable_scopes'].string_value == "('a', 'b')"
  assert row.hparams['batch_size'].number_value == config.run.batch_size
  assert row.hparams['epochs'].number_value == config.run.epochs
  assert row.hparams['seed'].number_value == config.run.seed
  assert row.hparams['precision'].string_value == 'float32'
  assert row.hparams['data_dir'].string_value == 'data'
  assert not {'num_classes', 'rgb_covariance'} & set(row.hparams)
  assert not {'max_steps', 'rgb_mean', 'checkpoint_path'} & set(row.hparams)
  assert row.group_name == 'runs/x'


@pytest.mark.parametrize(
  ('epochs', 'best'),
  [
    ([(None, None)], {}),
    ([(0.5, 0.7), (0.4, 0.6), (None, None)], {'best/accuracy': 0.7, 'best/loss': 0.4}),
    ([(float('nan'), 0.7), (0.9, 0.6)], {'best/accuracy': 0.7, 'best/loss': 0.9}),
  ],
)
def test_the_best_value_of_each_metric(epochs, best):
  assert hparams.best_so_far([epoch(*row) for row in epochs]) == best


def test_later_metrics_may_be_missing_in_the_first_epochs():
  later = epoch(0.4, 0.6)._replace(validation_balanced_accuracy=0.5, validation_macro_f1=0.25)
  best = hparams.best_so_far([epoch(0.5, 0.7), later])
  assert (best['best/balanced_accuracy'], best['best/macro_f1']) == (0.5, 0.25)


def rows_and_losses(folder):
  rows, losses = [], []
  for path in sorted(folder.glob(tensorboard.EVENT_FILES)):
    for event in tf.train.summary_iterator(str(path)):
      for value in event.summary.value:
        if value.tag == metadata.SESSION_START_INFO_TAG:
          content = value.metadata.plugin_data.content
          row = metadata.parse_session_start_info_plugin_data(content)
          rows.append(row.hparams['learning_rate'].number_value)
        else:
          losses.append((value.tag, event.step))
  return rows, losses


def test_a_resumed_run_shows_its_present_settings_and_keeps_its_curves(tmp_path):
  for step, rate in ((0, 0.1), (5, 0.01), (9, 0.001)):
    hparams.remove_descriptions(str(tmp_path))
    with tensorboard.open_events(str(tmp_path), step) as writer:
      writer.add_summary(hparams.describe_run({'learning_rate': rate}, 'x'), step)
      writer.add_summary(tensorboard.scalars({'loss': 1.0}), step + 1)
    # Files that are opened within one second have the same name.
    (new,) = (path for path in tmp_path.iterdir() if path.suffix != '.old')
    new.rename(f'{new}.{step}.old')
  assert rows_and_losses(tmp_path) == ([0.001], [('loss', 1), ('loss', 6), ('loss', 10)])


def test_a_file_that_a_killed_process_wrote_is_left_alone(tmp_path):
  path = tmp_path / 'events.out.tfevents.1'
  for content in (b'', b'short', struct.pack('<QI', 100, 0) + b'torn'):
    path.write_bytes(content)
    hparams.remove_descriptions(str(tmp_path))
    assert path.read_bytes() == content
