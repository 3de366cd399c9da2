import dataclasses
import io
import json
import types

import numpy as np
import pytest

from tests.testing import graph_session, train_config
from tests.training.graph_test import a_manifest
from vgg_slim.compat import slim, tf
from vgg_slim.reporting import JsonReporter, JsonStream, Reporter
from vgg_slim.training.hooks import alarms
from vgg_slim.training.hooks.base import EpochEnd, Step, ValidationScores


@pytest.fixture
def output():
  return io.StringIO()


def test_a_loss_at_chance_level_is_reported_once(output):
  hook = alarms.StuckLoss(num_classes=10, steps=3, reporter=Reporter(output))
  for number, loss in enumerate([2.4, 2.30, 2.31, 2.29, 2.30], start=1):
    hook.after_step(Step(number, {'loss': loss}), ())
    # ln(10) = 2.3026; the first three have a mean of 2.337, 1.5 % off.
    assert bool(output.getvalue()) == (number >= 4)
  assert output.getvalue().count('ALARM') == 1
  assert 'ln(10) = 2.3026' in output.getvalue()
  assert 'Try another --learning_rate' in output.getvalue()


def test_a_falling_loss_raises_no_alarm(output):
  hook = alarms.StuckLoss(10, 3, Reporter(output))
  for number, loss in enumerate(np.linspace(2.3, 2.0, 9), start=1):
    hook.after_step(Step(number, {'loss': loss}), ())
  assert output.getvalue() == ''


def test_dead_units_are_reported_once_and_checked_every_few_steps(output):
  maps = np.zeros([2, 3, 3, 20], np.float32)
  maps[1, 2, 0, 7] = 0.5  # one of 20 channels is alive
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


def test_nine_dead_channels_of_ten_raise_no_alarm(output):
  maps = np.zeros([2, 3, 3, 10], np.float32)
  maps[..., 0] = 1
  with graph_session() as session:
    hook = alarms.DeadUnits({'conv1': tf.nn.relu(tf.constant(maps))}, 1, Reporter(output))
    hook.after_step(Step(1, {}), session.run(hook.fetches(1)))
  assert output.getvalue() == ''


@pytest.mark.parametrize(('count', 'ending'), [(3, 'n2/BatchNorm. Eval'), (4, 'n2/BatchNorm, ...')])
def test_at_most_three_stale_batch_norms_are_named(output, count, ending):
  with graph_session() as session:
    for i in range(count):
      slim.model_variable(f'n{i}/BatchNorm/moving_mean', [2], initializer=tf.zeros_initializer())
    hook = alarms.StaleStatistics(Reporter(output))
    session.run(tf.global_variables_initializer())
    hook.after_epoch(session, EpochEnd(7, 'x', True, None))
  assert f'{count} batch norms' in output.getvalue()
  assert f'n0/BatchNorm, n1/BatchNorm, {ending}' in output.getvalue()


def test_a_run_has_alarms_unless_alarm_steps_is_0(output):
  config = train_config('data', a_manifest())
  with tf.Graph().as_default():
    end_points = {'fc8': tf.zeros([1, 2])}
    for steps, kinds in (
      (0, []),
      (50, [alarms.StuckLoss, alarms.DeadUnits, alarms.StaleStatistics, alarms.OneAnswer]),
    ):
      wanted = dataclasses.replace(config, run=dataclasses.replace(config.run, alarm_steps=steps))
      ops = types.SimpleNamespace(end_points=end_points)
      assert [type(hook) for hook in alarms.build_alarms(wanted, ops, Reporter(output))] == kinds


def test_batch_norms_that_were_never_updated_are_reported_once(output):
  with graph_session() as session:
    for name in ('a', 'b'):
      slim.model_variable(f'{name}/BatchNorm/moving_mean', [2], initializer=tf.zeros_initializer())
    hook = alarms.StaleStatistics(Reporter(output))
    session.run(tf.global_variables_initializer())
    session.run(slim.get_model_variables()[1].assign([0.0, 0.1]))
    for step in (7, 8):
      hook.after_epoch(session, EpochEnd(step, 'x', True, None))
  assert output.getvalue().count('ALARM') == 1
  assert 'moving means of 1 batch norm are 0 after 7 steps: a/BatchNorm.' in output.getvalue()


def test_one_answer_for_all_images_is_reported_when_it_comes_again(output):
  hook = alarms.OneAnswer(('rare', 'common'), Reporter(output))
  seen = []
  for step, answer in enumerate([1, None, 1, 0, 0, None, 0, 0], start=1):
    hook.after_epoch(None, EpochEnd(step, 'x', True, ValidationScores(1, 0.9, 0.5, 0.4, answer)))
    seen.append(output.getvalue().count('ALARM'))
  assert seen == [0, 0, 0, 1, 1, 1, 1, 2]
  assert output.getvalue().startswith(
    "ALARM: The network predicts 'rare' for all validation images at step 4, as an epoch before: "
  )
  assert '--class_weights=balanced or --balanced_batches' in output.getvalue()


def test_runs_that_balance_classes_are_not_told_to(output):
  config = train_config('data', a_manifest(), balanced_batches=True)
  with tf.Graph().as_default():
    ops = types.SimpleNamespace(end_points={})
    *_, hook = alarms.build_alarms(config, ops, Reporter(output))
  for step in (1, 2):
    hook.after_epoch(None, EpochEnd(step, 'x', True, ValidationScores(1, 0.9, 0.5, 0.4, 0)))
  assert output.getvalue().endswith(
    'Train it longer, with another --learning_rate, or from --weights=imagenet.\n'
  )


@pytest.mark.parametrize(
  ('answers', 'last_line'),
  [
    ([1], "ALARM: The network predicts 'common' for all validation images at step 1, the last v"),
    ([1, None], ''),
    ([1, 1], "ALARM: The network predicts 'common' for all validation images at step 2, as an e"),
    ([1, 1, 1], "ALARM: The network predicts 'common' for all validation images at step 3, the la"),
  ],
)
def test_one_answer_in_the_last_validation_is_reported_at_the_end(output, answers, last_line):
  reporter = JsonReporter(JsonStream(output))
  hook = alarms.OneAnswer(('rare', 'common'), reporter)
  for step, answer in enumerate(answers, start=1):
    hook.after_epoch(None, EpochEnd(step, 'x', True, ValidationScores(1, 0.9, 0.5, 0.4, answer)))
  hook.after_run()
  events = [json.loads(line) for line in output.getvalue().splitlines()]
  assert [each['event'] for each in events] == ['message', 'alarm'] * (len(events) // 2)
  assert len(events) == {1: 2, 2: 2 * bool(last_line), 3: 4}[len(answers)]
  if last_line:
    assert events[-2]['text'].startswith(last_line)
    alarm = {'alarm': 'one answer', 'step': len(answers), 'class_name': 'common'}
    assert events[-1] == {'event': 'alarm', **alarm}


def test_runs_without_validation_have_no_answers(output):
  hook = alarms.OneAnswer(('rare', 'common'), Reporter(output))
  for step in (1, 2, 3):
    hook.after_epoch(None, EpochEnd(step, 'x', True, None))
  assert output.getvalue() == ''
