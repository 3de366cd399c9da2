import io

import numpy as np
import pytest

from tests.testing import graph_session
from vgg_slim.compat import slim, tf
from vgg_slim.training import alarms
from vgg_slim.training.hooks import EpochEnd, Step
from vgg_slim.training.progress import Reporter


@pytest.fixture
def output():
  return io.StringIO()


def test_a_loss_at_chance_is_said_once(output):
  hook = alarms.StuckLoss(num_classes=10, steps=3, reporter=Reporter(output))
  for number, loss in enumerate([2.4, 2.30, 2.31, 2.29, 2.30], start=1):
    hook.after_step(Step(number, {'loss': loss}), ())
    # ln(10) = 2.3026; the first three have a mean of 2.337, 1.5 % off.
    assert bool(output.getvalue()) == (number >= 4)
  assert output.getvalue().count('ALARM') == 1
  assert 'ln(10) = 2.3026' in output.getvalue()
  assert 'Try another --learning_rate' in output.getvalue()


def test_a_loss_that_falls_is_no_alarm(output):
  hook = alarms.StuckLoss(10, 3, Reporter(output))
  for number, loss in enumerate(np.linspace(2.3, 2.0, 9), start=1):
    hook.after_step(Step(number, {'loss': loss}), ())
  assert output.getvalue() == ''


def test_dead_units_are_named_once_and_looked_at_seldom(output):
  maps = np.zeros([2, 3, 3, 20], np.float32)
  maps[1, 2, 0, 7] = 0.5  # one of 20 channels lives
  with graph_session() as session:
    dead, alive = tf.nn.relu(tf.constant(maps)), tf.nn.relu(tf.constant(maps + 1))
    linear = tf.constant(maps) * 2.0
    end_points = {'conv1': alive, 'conv2': dead, 'fc8': linear}
    hook = alarms.DeadUnits(end_points, steps=5, reporter=Reporter(output))
    assert hook.fetches(4) == {}
    for number in (5, 10):
      hook.after_step(Step(number, {}), session.run(hook.fetches(number)))
  assert output.getvalue().count('ALARM') == 1
  assert 'at step 5: conv2 (95%).' in output.getvalue()


def test_statistics_that_never_moved_are_named(output):
  with graph_session() as session:
    for name in ('a', 'b'):
      slim.model_variable(f'{name}/BatchNorm/moving_mean', [2], initializer=tf.zeros_initializer())
    hook = alarms.StillStatistics(Reporter(output))
    session.run(tf.global_variables_initializer())
    session.run(slim.get_model_variables()[1].assign([0.0, 0.1]))
    for step in (7, 8):
      hook.after_epoch(session, EpochEnd(step, 'x', True, None))
  assert output.getvalue().count('ALARM') == 1
  assert '1 batch norms have moving means of 0 after 7 steps: a/BatchNorm.' in output.getvalue()
