import dataclasses

import pytest
from tensorboard.plugins.hparams import metadata

from tests.testing import train_config
from tests.training.graph_test import a_manifest
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
  assert hparams.best_so_far(epoch(*row) for row in epochs) == best
