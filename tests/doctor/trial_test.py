import dataclasses
import math
import os
import types

import pytest

from tests.testing import make_data_set, replace, thin_model, train_config
from vgg_slim.checkpoints import contract, restore
from vgg_slim.compat import tf
from vgg_slim.configs import config as configs
from vgg_slim.doctor import trial
from vgg_slim.doctor.findings import FAIL, OK, WARN
from vgg_slim.training import preflight


@pytest.fixture
def made(tmp_path, monkeypatch):
  thin_model(monkeypatch, 'vgg_a')
  data_dir, manifest = make_data_set(tmp_path / 'data')
  return train_config(data_dir, manifest), manifest


def write_checkpoint(folder, config, value=None):
  """Writes random weights, with one variable set to `value` if given; returns the prefix."""
  prefix = str(folder / 'model.ckpt-0')
  described = contract.from_train_config(config)
  contract.write_contract(contract.contract_path(prefix), described)
  with tf.Graph().as_default(), tf.Session() as session:
    restore.build_network(described, tf.placeholder(tf.float32, [None, 32, 32, 3]))
    session.run(tf.global_variables_initializer())
    if value is not None:
      variable = tf.global_variables()[0]
      variable.load(tf.fill(variable.shape, value).eval(), session)
    tf.train.Saver().save(session, prefix, write_meta_graph=False)
  return prefix


def test_a_trial_step_leaves_no_files(made, tmp_path):
  config, manifest = made
  schedule = configs.OptimizerConfig(0.01, learning_rate_decay_type='plateau')
  prefix = write_checkpoint(tmp_path, config)
  start = configs.FineTuneConfig(checkpoint_path=prefix)
  before = sorted(os.listdir(tmp_path))
  finding = trial.run_trial(
    dataclasses.replace(config, optimizer=schedule, fine_tune=start), manifest, str(tmp_path)
  )
  assert finding.level == OK, finding
  assert f'on 2 images (guessing: {math.log(2):.3f})' in finding.text
  assert sorted(os.listdir(tmp_path)) == before


def test_a_step_that_fails_or_starts_with_a_large_loss(made, tmp_path):
  config, manifest = made
  start = configs.FineTuneConfig(checkpoint_path=write_checkpoint(tmp_path, config, math.nan))
  finding = trial.run_trial(dataclasses.replace(config, fine_tune=start), manifest, str(tmp_path))
  assert finding.level == FAIL
  assert 'was not finite' in finding.text
  unscaled = dataclasses.replace(config.preprocessing, pixel_scale=1e4)
  far = dataclasses.replace(config, preprocessing=unscaled)
  assert trial.run_trial(far, manifest, str(tmp_path)).level == WARN


def far_run(config, **fine_tune):
  """The run with a huge initial loss, from a checkpoint if `fine_tune` is given."""
  net = dataclasses.replace(config.net, initializer=fine_tune.pop('initializer', 'glorot'))
  scale = fine_tune.pop('pixel_scale', 1e4)
  return dataclasses.replace(
    config,
    net=net,
    preprocessing=dataclasses.replace(config.preprocessing, pixel_scale=scale),
    fine_tune=configs.FineTuneConfig(**fine_tune),
  )


@pytest.mark.parametrize(
  ('settings', 'remedy'),
  [
    ({}, 'Try --pixel_scale=0.0078.'),
    ({'initializer': 'he'}, 'Try --pixel_scale=0.0078 or --initializer=glorot.'),
    ({'pixel_scale': (0.005, 0.005, 0.005)}, 'Try --warmup_epochs=1.'),
    ({'checkpoint_path': 'x', 'new_head': True}, 'Try --initializer=normal.'),
    (
      {'checkpoint_path': 'x', 'new_head': True, 'initializer': 'normal'},
      'Try --warmup_epochs=1.',
    ),
    (
      {'checkpoint_path': 'x'},
      'The weights may belong to other classes, or to images that are prepared differently.',
    ),
  ],
)
def test_advice_is_neither_refused_nor_in_force_already(
  made, tmp_path, monkeypatch, settings, remedy
):
  config, manifest = made
  monkeypatch.setattr(trial.loop, 'run_training', lambda *_: types.SimpleNamespace(stopped_by=None))
  row = types.SimpleNamespace(train_loss=100.0)
  monkeypatch.setattr(trial.history, 'read_history', lambda _: [row])
  finding = trial.run_trial(far_run(config, **settings), manifest, str(tmp_path))
  assert (finding.level, finding.remedy) == (WARN, remedy)


@pytest.mark.parametrize(
  ('gpus', 'start', 'remedy'),
  [
    (0, None, 'Try a smaller --model or --image_size.'),
    (1, None, 'Try --gpus=none, or a smaller --model or --image_size.'),
    (1, 'x', 'Try --gpus=none.'),
    (0, 'x', '--verbose shows where it happened.'),
  ],
)
def test_advice_after_an_error_of_tensorflow(made, tmp_path, monkeypatch, gpus, start, remedy):
  config, manifest = made

  def fail(*_):
    raise tf.errors.ResourceExhaustedError(None, None, 'no memory')

  monkeypatch.setattr(trial.loop, 'run_training', fail)
  monkeypatch.setattr(trial.sessions, 'num_gpus', lambda: gpus)
  tuned = dataclasses.replace(config, fine_tune=configs.FineTuneConfig(checkpoint_path=start))
  finding = trial.run_trial(tuned, manifest, str(tmp_path))
  assert (finding.level, finding.remedy) == (FAIL, remedy)


def test_a_checkpoint_must_fit_its_contract_and_be_finite(made, tmp_path):
  config, _ = made
  assert trial.examine_checkpoint(str(tmp_path)).text == f'{tmp_path} holds no checkpoint.'
  prefix = write_checkpoint(tmp_path, config)
  finding = trial.examine_checkpoint(prefix)
  assert finding.level == OK
  assert finding.text == f'{prefix}: vgg_a, 2 classes, 32 px, all weights finite'
  more_classes = replace(
    contract.read_contract(contract.contract_path(prefix)), num_classes=3, class_names=None
  )
  contract.write_contract(contract.contract_path(prefix), more_classes)
  finding = trial.examine_checkpoint(prefix)
  assert finding.level == FAIL
  assert 'does not fit the network: vgg_a/fc8/weights has shape' in finding.text
  contract.contract_path(prefix).unlink()
  assert trial.examine_checkpoint(prefix).level == WARN
  finding = trial.examine_checkpoint(write_checkpoint(tmp_path, config, math.inf))
  assert finding.level == FAIL
  assert 'holds NaN or infinity in vgg_a/conv1/conv1_1/weights.' in finding.text


def test_a_run_is_described_in_one_line(made):
  assert trial.examine_run(made[0]).text == 'vgg_a at 32 px, batches of 4'


def test_memory_and_disk_space(made):
  config, _ = made
  needed = preflight.needed_memory(config, 7)
  assert trial.examine_memory(config, needed, on_gpu=False).text.endswith('; at most 7 images')
  assert trial.examine_memory(config, 1, on_gpu=False).level == FAIL
  assert trial.examine_memory(config, 1, on_gpu=True).level == OK
  # The three that are kept and the next one, each with weights and momentum.
  with tf.Graph().as_default():
    described = contract.from_train_config(config)
    restore.build_network(described, tf.placeholder(tf.float32, [None, 32, 32, 3]))
    numbers = sum(v.shape.num_elements() for v in tf.trainable_variables())
  assert trial.checkpoint_bytes(config) == 4 * (4 * 2 * numbers)
