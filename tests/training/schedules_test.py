import numpy as np
import pytest

from tests.testing import Recorder, graph_session
from vgg_slim.compat import tf
from vgg_slim.configs.schedule import SCHEDULES, ScheduleConfig
from vgg_slim.training import schedules
from vgg_slim.training.schedules import Horizon

HORIZON = Horizon(steps_per_epoch=4.5, total_steps=40, batch_size=4)


def rates(config, steps, horizon=HORIZON):
  with graph_session() as session:
    step = tf.placeholder(tf.int64, [])
    rate = schedules.build_learning_rate(config, step, horizon)
    session.run(tf.local_variables_initializer())
    return [float(session.run(rate.value, {step: s})) for s in steps]


def schedule(kind, **values):
  return ScheduleConfig(0.1, kind, 0.5, **values)


@pytest.mark.parametrize(
  ('config', 'steps', 'expected'),
  [
    (schedule('fixed'), [0, 1000], [0.1, 0.1]),
    # 2 epochs of 4.5 steps: the rate halves at steps 9 and 18, or a little at each step.
    (schedule('exponential', epochs_per_decay=2), [0, 8, 9, 18], [0.1, 0.1, 0.05, 0.025]),
    (
      schedule('exponential', epochs_per_decay=2, staircase=False),
      [0, 3, 9],
      [0.1, 0.1 * 0.5 ** (1 / 3), 0.05],
    ),
    (
      schedule('piecewise', learning_rate_boundaries=(2, 4)),
      [8, 9, 17, 18],
      [0.1, 0.05, 0.05, 0.025],
    ),
    (
      schedule('piecewise', learning_rate_boundaries=(2, 4), learning_rate_values=(0.3, 0.01)),
      [0, 8, 9, 18],
      [0.1, 0.1, 0.3, 0.01],
    ),
    # 4 images per step: 10 images are passed at step 3, and 20 at step 5.
    (
      schedule('discrete_exponential', examples_per_decay=10),
      [2, 3, 4, 5],
      [0.1, 0.05, 0.05, 0.025],
    ),
    # Epochs shorter than one step count as one step.
    (schedule('exponential', epochs_per_decay=0.05), [0, 1, 2], [0.1, 0.05, 0.025]),
    (schedule('inverse_time'), [0, 1, 2], [0.1, 0.1 / 1.5, 0.1 / 2]),
    (schedule('polynomial', end_learning_rate=0.02), [0, 10, 40, 50], [0.1, 0.08, 0.02, 0.02]),
    (schedule('polynomial', decay_power=2), [10, 20], [0.1 * 0.75**2, 0.1 * 0.5**2]),
    (
      schedule('cosine', end_learning_rate=0.02),
      [0, 10, 20, 40, 50],
      [0.1, 0.02 + 0.08 * (1 + np.cos(np.pi / 4)) / 2, 0.06, 0.02, 0.02],
    ),
    # Up from 1/25 of the peak for 12 of 40 steps, then down for 28.
    (schedule('one_cycle'), [0, 6, 12, 26, 40], [0.004, 0.052, 0.1, 0.05, 0]),
    (schedule('plateau'), [0, 1000], [0.1, 0.1]),
  ],
)
def test_schedules_by_hand(config, steps, expected):
  # Tolerance of float32 cosines: 1e-8 is a ten-millionth of the rate.
  np.testing.assert_allclose(rates(config, steps), expected, rtol=1e-6, atol=1e-8)


BY_THE_HOOKS = {'plateau_patience', 'plateau_min_delta', 'plateau_max_falls'}


def test_every_type_has_a_formula():
  assert set(schedules.FORMULAS) == set(SCHEDULES)


@pytest.mark.parametrize('name', SCHEDULES)
def test_a_formula_reads_the_settings_in_its_row(name):
  config = Recorder(schedule(name, learning_rate_boundaries=(2, 4)))
  with graph_session():
    schedules.FORMULAS[name](config, tf.constant(0, tf.int64), HORIZON)
  of_all = {'learning_rate', 'schedule_epochs'}  # the horizon depends on the latter
  by_others = BY_THE_HOOKS | {'learning_rate_decay_factor'} if name == 'plateau' else set()
  assert config.read - of_all == set(SCHEDULES[name].settings) - of_all - by_others


def test_a_warm_up_comes_before_the_schedule():
  # 2 epochs are 9 steps of 1/9, 2/9, ...; the cosine has the remaining 31 steps.
  got = rates(schedule('cosine', warmup_epochs=2), [0, 4, 8, 9, 9 + 15.5 // 1, 40])
  middle = 0.1 * (1 + np.cos(np.pi * 15 / 31)) / 2
  np.testing.assert_allclose(got, [0.1 / 9, 0.5 / 9, 0.1, 0.1, middle, 0], rtol=1e-6, atol=1e-8)


def test_a_warm_up_longer_than_the_run_only_rises():
  got = rates(schedule('cosine', warmup_epochs=20), [0, 39])  # 90 steps
  np.testing.assert_allclose(got, [0.1 / 90, 0.1 * 40 / 90], rtol=1e-6)


def test_a_schedule_may_be_shorter_than_the_run():
  got = rates(
    schedule('polynomial', schedule_epochs=4), [9, 18, 40]
  )  # the schedule takes 18 of 40 steps
  np.testing.assert_allclose(got, [0.05, 0, 0], atol=1e-8)


def test_plateau_is_scaled_by_a_local_variable():
  with graph_session() as session:
    rate = schedules.build_learning_rate(schedule('plateau'), tf.constant(3, tf.int64), HORIZON)
    session.run(tf.local_variables_initializer())
    session.run(rate.scale.assign(0.25))
    assert session.run(rate.value) == pytest.approx(0.025)
    assert tf.global_variables() == []  # it is not in checkpoints
