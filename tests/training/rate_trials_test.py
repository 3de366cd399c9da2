import io
import math

import numpy as np
import pytest

from tests.testing import make_data_set, thin_model, train_config
from vgg_slim.compat import tf
from vgg_slim.configs.config import FineTuneConfig, OptimizerConfig
from vgg_slim.reporting import Reporter
from vgg_slim.training import loop
from vgg_slim.training.rate_trials import Trials
from vgg_slim.training.starts import Start, decide

NEW = Start(None, 0)
RATES = [1e-3, 1e-3, 0.01, 0.03, 0.05, 0.05]
ADAM = [rate / 100 for rate in RATES]


@pytest.fixture
def data(tmp_path, monkeypatch):
  thin_model(monkeypatch, 'vgg_a')
  return make_data_set(tmp_path / 'data')  # 18 training images


def never(losses):
  return False


def run_trials(config, manifest, *parts, start=NEW):
  with tf.Graph().as_default():
    trials = Trials(config, manifest, start, Reporter(io.StringIO()))
    return [trials.run(rates, never) for rates in parts]


def optimizer(name, rates, epochs_per_step, **settings):
  """A schedule that has these rates at the steps of a run, one after another."""
  return OptimizerConfig(
    rates[0],
    'piecewise',
    optimizer=name,
    learning_rate_boundaries=tuple(n * epochs_per_step for n in range(1, len(rates))),
    learning_rate_values=tuple(rates[1:]),
    **settings,
  )


def replace(config, **sections):
  return type(config)(**{**vars(config), **sections})


def train(config, manifest, folder):
  """Trains a run; returns the loss of each step."""
  loop.run_training(config, manifest, str(folder), None, Reporter(io.StringIO()))
  steps = {}
  for path in folder.glob('events*'):
    for event in tf.train.summary_iterator(str(path)):
      for value in event.summary.value:
        if value.tag == 'loss':
          steps[event.step] = value.simple_value
  return [steps[step] for step in sorted(steps)]


@pytest.mark.parametrize(
  ('name', 'rates', 'settings'),
  [
    ('momentum', RATES, {'gradient_accumulation_steps': 2}),
    ('adamw', ADAM, {'weight_decay': 0.05}),
  ],
)
def test_the_losses_are_those_of_a_run_with_these_rates(data, tmp_path, name, rates, settings):
  config = train_config(*data, max_steps=len(rates))
  config = replace(config, optimizer=optimizer(name, rates, 4 / 18, **settings))
  expected = train(config, data[1], tmp_path / 'run')
  # The rate that is fed replaces that of the schedule.
  config = replace(config, optimizer=OptimizerConfig(0.5, optimizer=name, **settings))
  first, second = run_trials(config, data[1], rates, rates)
  assert len(expected) == len(rates)
  np.testing.assert_array_equal(np.float32(first), np.float32(expected))
  assert first == second


def test_a_trial_starts_from_the_checkpoint_of_the_run(data, tmp_path):
  config = train_config(*data, max_steps=9)
  config = replace(config, optimizer=OptimizerConfig(0.01, 'fixed'))
  losses = train(config, data[1], tmp_path / 'run')
  part = replace(config, run=type(config.run)(**{**vars(config.run), 'max_steps': 4}))
  train(part, data[1], tmp_path / 'part')
  start = decide(str(tmp_path / 'part'))
  [resumed] = run_trials(config, data[1], [0.01] * 5, start=start)
  np.testing.assert_array_equal(np.float32(resumed), np.float32(losses[4:]))


def test_a_trial_starts_from_given_weights_and_leaves_other_scopes_alone(data, tmp_path):
  config = train_config(*data, max_steps=3)
  train(config, data[1], tmp_path / 'first')
  tuned = replace(
    config,
    optimizer=OptimizerConfig(0.02, 'fixed'),
    fine_tune=FineTuneConfig(
      str(tmp_path / 'first' / 'model.ckpt-3'), trainable_scopes=('vgg_a/fc8',)
    ),
  )
  expected = train(tuned, data[1], tmp_path / 'second')
  [losses] = run_trials(tuned, data[1], [0.02] * 3)
  np.testing.assert_array_equal(np.float32(losses), np.float32(expected))


def test_a_trial_ends_at_the_first_loss_that_is_not_finite_or_on_request(data):
  config = train_config(*data)
  with tf.Graph().as_default():
    trials = Trials(config, data[1], NEW, Reporter(io.StringIO()))
    exploded = trials.run([1e30] * 5, never)
    stopped = trials.run([0.01] * 5, lambda losses: len(losses) == 2)
  assert math.isfinite(exploded[0])
  assert math.isnan(exploded[-1])
  assert len(exploded) < 5
  assert len(stopped) == 2
