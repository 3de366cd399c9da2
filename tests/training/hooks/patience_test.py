import dataclasses
import math

import pytest

from tests.testing import graph_session
from tests.training.hooks.selection_test import Scores
from vgg_slim.compat import tf
from vgg_slim.training.hooks.host_state import HostState
from vgg_slim.training.hooks.patience import COUNTERS, Patience


def recorded(epochs, metric='accuracy', min_delta=0.0):
  """Whether each epoch, a pair of accuracy and loss, is the best so far; and the best epoch."""
  with graph_session():
    patience = Patience('best', metric, min_delta)
    return [
      patience.record_epoch(Scores(*scores), step) for step, scores in enumerate(epochs, start=1)
    ], patience.text


def test_loss_breaks_ties_of_accuracy():
  # From a reported run: the accuracy stays the same, and the loss falls from 0.996 to 0.533.
  better, text = recorded([(0.5, 0.9), (0.75, 0.996), (0.75, 0.996), (0.5, 0.2), (0.75, 0.533)])
  assert better == [True, True, False, False, True]
  assert text == 'accuracy 75.00%, loss 0.5330 at step 5'


def test_accuracy_breaks_ties_of_loss():
  better, text = recorded([(0.5, 0.9), (0.6, 0.9), (0.5, 0.9), (0.1, 0.8)], 'loss')
  assert better == [True, True, False, True]
  assert text == 'loss 0.8000, accuracy 10.00% at step 4'


def test_less_than_min_delta_is_no_improvement_nor_breaks_a_tie():
  epochs = [(0.5, 0.9), (0.52, 0.1), (0.5, 0.86), (0.5, 0.84), (0.56, 0.9)]
  assert recorded(epochs, min_delta=0.05)[0] == [True, False, False, True, True]


def test_a_nan_loss_is_never_better():
  assert recorded([(0.5, 0.9), (0.5, math.nan)])[0] == [True, False]
  assert recorded([(0.5, math.nan), (0.6, 0.9)], 'loss')[0] == [False, True]


def test_a_run_ends_when_its_patience_does():
  with graph_session():
    patience = Patience('early_stop', 'accuracy')
    reasons = []
    for step, accuracy in enumerate((0.5, 0.4, 0.3), start=1):
      patience.record_epoch(Scores(accuracy, 1.0), step)
      reasons.append(patience.stop_reason(2))
    assert reasons[:2] == [None, None]
    assert reasons[2] == (
      '2 epochs without improvement on accuracy 50.00%, loss 1.0000 at step 1 '
      '(--early_stop_patience)'
    )
    assert patience.stop_reason(None) is None


def resumed(tmp_path, counters, metric):
  """Counters and message of a run with `metric` that resumes a checkpoint with `counters`."""
  with graph_session() as session:
    HostState('best', **counters)
    session.run(tf.global_variables_initializer())
    path = tf.train.Saver().save(session, str(tmp_path / 'model.ckpt'))
  with graph_session() as session:
    patience = Patience('best', metric)
    tf.train.Saver().restore(session, path)
    line = patience.read(session)
    return {name: patience.state[name] for name in patience.state.initial}, line


ACCURACY, LOSS = 0, 1


@pytest.mark.parametrize('metric', ['accuracy', 'loss'])
def test_a_new_run_has_no_message(tmp_path, metric):
  new = {**COUNTERS, 'second': math.inf, 'metric': -1}
  got, line = resumed(tmp_path, new, metric)
  assert line is None
  assert (got['best'], got['metric']) == (-math.inf, ['accuracy', 'loss'].index(metric))


def test_a_new_metric_keeps_the_best_epoch_and_compares_by_its_other_score(tmp_path):
  counters = {'best': 0.9, 'best_step': 7, 'waited': 2, 'second': -0.3, 'metric': ACCURACY}
  got, line = resumed(tmp_path, counters, 'loss')
  assert got == {'best': -0.3, 'best_step': 7, 'waited': 0, 'second': 0.9, 'metric': LOSS}
  assert line == 'epochs are now compared by loss, not accuracy; the patience starts again'


def test_the_same_metric_keeps_all_counters(tmp_path):
  counters = {'best': 0.9, 'best_step': 7, 'waited': 2, 'second': -0.3, 'metric': ACCURACY}
  assert resumed(tmp_path, counters, 'accuracy') == (counters, None)


@pytest.mark.parametrize(('metric', 'best'), [('balanced_accuracy', 3), ('macro_f1', 2)])
def test_metrics_of_equal_classes_choose_another_epoch_than_accuracy(metric, best):
  """At 27:1, saying 'common' to everything has an accuracy of 96 %."""
  epochs = [Scores(0.964, 0.2, 0.5, 0.49), Scores(0.95, 0.2, 0.7, 0.65), Scores(0.9, 0.3, 0.8, 0.6)]
  with graph_session():
    patience = Patience('best', metric)
    for step, scores in enumerate(epochs, start=1):
      patience.record_epoch(scores, step)
    assert patience.state['best_step'] == best
    value = getattr(epochs[best - 1], metric)
    shown = f'{value:.4f}' if metric == 'macro_f1' else f'{value:.2%}'
    assert f'{metric} {shown}, loss 0.' in patience.text
    tie = dataclasses.replace(epochs[best - 1], loss=0.1)
    assert patience.record_epoch(tie, 4)


def test_a_metric_that_the_counters_do_not_hold_starts_from_scratch(tmp_path):
  counters = {'best': 0.9, 'best_step': 7, 'waited': 2, 'second': -0.3, 'metric': ACCURACY}
  got, line = resumed(tmp_path, counters, 'balanced_accuracy')
  new = {'best': -math.inf, 'best_step': 0, 'waited': 0, 'second': math.inf, 'metric': 2}
  assert got == new
  assert line.endswith('; the patience starts again, and so does the search for the best epoch')


def test_the_accuracy_that_breaks_ties_of_the_loss_is_not_another_metric(tmp_path):
  counters = {'best': 0.6, 'best_step': 7, 'waited': 2, 'second': -0.3, 'metric': 3}  # macro_f1
  got, _ = resumed(tmp_path, counters, 'loss')
  assert (got['best'], got['best_step'], got['second']) == (-0.3, 7, math.inf)


class TestVersion01:
  """Checkpoints of vgg_slim 0.1 hold three numbers: no metric, and no second score."""

  def test_the_same_metric_keeps_all_counters(self, tmp_path):
    got, line = resumed(tmp_path, {'best': -0.3, 'best_step': 7, 'waited': 2}, 'loss')
    assert line is None
    expected = {'best': -0.3, 'best_step': 7, 'waited': 2, 'second': math.inf, 'metric': LOSS}
    assert got == expected

  def test_another_metric_starts_from_scratch(self, tmp_path):
    got, line = resumed(tmp_path, {'best': -0.3, 'best_step': 7, 'waited': 2}, 'accuracy')
    assert (got['best'], got['best_step'], got['waited']) == (-math.inf, 0, 0)
    assert line == (
      'epochs are now compared by accuracy, not loss; the patience starts again, and so does the '
      'search for the best epoch'
    )

  def test_a_tie_is_no_improvement_if_the_second_score_is_unknown(self, tmp_path):
    with graph_session():
      patience = Patience('best', 'accuracy')
      patience.state.update(best=0.5)
      assert not patience.record_epoch(Scores(0.5, 0.001), 1)
