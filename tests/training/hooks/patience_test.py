import math

import pytest

from tests.testing import graph_session
from tests.training.hooks.selection_test import Scores
from vgg_slim.compat import tf
from vgg_slim.training.hooks.host_state import HostState
from vgg_slim.training.hooks.patience import COUNTERS, Patience


def seen(epochs, metric='accuracy', min_delta=0.0):
  """Whether each of the epochs, accuracy and loss, is better."""
  with graph_session():
    patience = Patience('best', metric, min_delta)
    return [
      patience.record_epoch(Scores(*scores), step) for step, scores in enumerate(epochs, start=1)
    ], patience.text


def test_ties_of_accuracy_go_by_loss():
  # The run of the report: accuracy stands, the loss falls from 0.996 to 0.533.
  better, text = seen([(0.5, 0.9), (0.75, 0.996), (0.75, 0.996), (0.5, 0.2), (0.75, 0.533)])
  assert better == [True, True, False, False, True]
  assert text == 'accuracy 0.7500, loss 0.5330 at step 5'


def test_ties_of_loss_go_by_accuracy():
  better, text = seen([(0.5, 0.9), (0.6, 0.9), (0.5, 0.9), (0.1, 0.8)], 'loss')
  assert better == [True, True, False, True]
  assert text == 'loss 0.8000, accuracy 0.1000 at step 4'


def test_less_than_min_delta_is_not_better_neither_in_a_tie():
  epochs = [(0.5, 0.9), (0.52, 0.1), (0.5, 0.86), (0.5, 0.84), (0.56, 0.9)]
  assert seen(epochs, min_delta=0.05)[0] == [True, False, False, True, True]


def test_a_loss_that_is_not_a_number_is_never_better():
  assert seen([(0.5, 0.9), (0.5, math.nan)])[0] == [True, False]
  assert seen([(0.5, math.nan), (0.6, 0.9)], 'loss')[0] == [False, True]


def resumed(tmp_path, counters, metric):
  """The counters of a run with `metric` that goes on from a checkpoint with `counters`."""
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
def test_a_new_run_says_nothing(tmp_path, metric):
  new = {**COUNTERS, 'second': math.inf, 'metric': -1}
  got, line = resumed(tmp_path, new, metric)
  assert line is None
  assert (got['best'], got['metric']) == (-math.inf, ['accuracy', 'loss'].index(metric))


def test_another_metric_keeps_the_best_epoch_by_its_own_measure(tmp_path):
  counters = {'best': 0.9, 'best_step': 7, 'waited': 2, 'second': -0.3, 'metric': ACCURACY}
  got, line = resumed(tmp_path, counters, 'loss')
  assert got == {'best': -0.3, 'best_step': 7, 'waited': 0, 'second': 0.9, 'metric': LOSS}
  assert line == 'epochs are now compared by loss, not accuracy; the patience starts again'


def test_the_same_metric_goes_on(tmp_path):
  counters = {'best': 0.9, 'best_step': 7, 'waited': 2, 'second': -0.3, 'metric': ACCURACY}
  assert resumed(tmp_path, counters, 'accuracy') == (counters, None)


class TestVersion01:
  """Its checkpoints have three numbers: neither the metric nor what breaks a tie."""

  def test_goes_on(self, tmp_path):
    got, line = resumed(tmp_path, {'best': -0.3, 'best_step': 7, 'waited': 2}, 'loss')
    assert line is None
    expected = {'best': -0.3, 'best_step': 7, 'waited': 2, 'second': math.inf, 'metric': LOSS}
    assert got == expected

  def test_another_metric_starts_again(self, tmp_path):
    got, line = resumed(tmp_path, {'best': -0.3, 'best_step': 7, 'waited': 2}, 'accuracy')
    assert (got['best'], got['best_step'], got['waited']) == (-math.inf, 0, 0)
    assert line == 'epochs are now compared by accuracy, not loss; the patience starts again'

  def test_a_tie_is_not_better_than_what_is_not_known(self, tmp_path):
    with graph_session():
      patience = Patience('best', 'accuracy')
      patience.state.update(best=0.5)
      assert not patience.record_epoch(Scores(0.5, 0.001), 1)
