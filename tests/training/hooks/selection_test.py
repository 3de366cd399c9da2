import dataclasses
import io

import pytest

from tests.testing import graph_session
from vgg_slim.checkpoints import prefixes
from vgg_slim.compat import tf
from vgg_slim.configs.config import OptimizerConfig, RunConfig, all_settings
from vgg_slim.reporting import Reporter
from vgg_slim.training.hooks import selection
from vgg_slim.training.hooks.base import EpochEnd
from vgg_slim.training.hooks.host_state import HostState


@dataclasses.dataclass
class Scores:
  top_1_accuracy: float
  loss: float = 1.0
  balanced_accuracy: float = 0.0
  macro_f1: float = 0.0
  only_answer: int | None = None


def end(step, accuracy, is_complete=True, **scores):
  return EpochEnd(step, f'model.ckpt-{step}', is_complete, Scores(accuracy, **scores))


class TestPlateau:
  def rates(self, epochs, **settings):
    """Scales of the learning rate after each epoch, given its accuracy or (accuracy, loss)."""
    output = io.StringIO()
    config = OptimizerConfig(
      1.0, 'plateau', 0.1, **{'plateau_patience': 2, 'plateau_max_falls': 2, **settings}
    )
    with graph_session() as session:
      scale = tf.get_variable('learning_rate_scale', initializer=1.0)
      hook = selection.Plateau(config, 'accuracy', scale, Reporter(output))
      session.run(tf.global_variables_initializer())
      hook.begin(session, 0)
      scales = []
      for epoch, scores in enumerate(epochs, start=1):
        accuracy, loss = scores if isinstance(scores, tuple) else (scores, 1.0)
        hook.after_epoch(session, end(epoch, accuracy, loss=loss))
        scales.append(float(session.run(scale)))
      return scales, output.getvalue()

  def test_decays_when_validation_stops_improving_and_at_most_n_times(self):
    scales, output = self.rates([0.5, 0.6, 0.6, 0.55, 0.7, 0.7, 0.7, 0.7, 0.7])
    assert scales == pytest.approx([1, 1, 1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01])
    first, second = output.splitlines()
    assert first == (
      'No improvement on accuracy 60.00%, loss 1.0000 at step 2: '
      'the learning rate is decayed to 0.1.'
    )
    assert second.endswith('loss 1.0000 at step 5: the learning rate is decayed to 0.01.')

  def test_less_than_min_delta_is_no_improvement(self):
    assert self.rates([0.5, 0.51, 0.52], plateau_min_delta=0.05)[0] == pytest.approx([1, 1, 0.1])

  def test_the_patience_starts_again_after_every_decay(self):
    scales, _ = self.rates([0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5])
    assert scales == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01, 0.01])

  def test_a_falling_loss_is_an_improvement_at_the_same_accuracy(self):
    # A regression: with accuracy alone, the rate decayed three times in three epochs here.
    epochs = [(0.25, 0.91), (0.25, 0.86), (0.25, 0.80), (0.25, 0.74)]
    assert self.rates(epochs, plateau_patience=1)[0] == [1] * 4

  def resumed(self, tmp_path, counters, **settings):
    """Scale, counters and output of a run that resumes a checkpoint with `counters`."""
    output = io.StringIO()
    with graph_session() as session:
      HostState('plateau', **counters)
      session.run(tf.global_variables_initializer())
      path = tf.train.Saver().save(session, str(tmp_path / 'model.ckpt'))
    config = OptimizerConfig(
      **{'learning_rate': 1e-3, 'learning_rate_decay_factor': 0.1, **settings}
    )
    with graph_session() as session:
      scale = tf.get_variable(
        'learning_rate_scale', initializer=1.0, collections=[tf.GraphKeys.LOCAL_VARIABLES]
      )
      hook = selection.Plateau(config, 'accuracy', scale, Reporter(output))
      session.run(tf.local_variables_initializer())
      tf.train.Saver().restore(session, path)
      hook.begin(session, 9)
      return float(session.run(scale)), hook.state, output.getvalue()

  OLD = {'best': 0.9, 'best_step': 6, 'waited': 2, 'falls': 3}
  NEW = {**OLD, 'second': -0.3, 'metric': 0, 'learning_rate': 1e-3, 'scale': 1e-3}

  def test_a_resumed_run_continues_at_its_decayed_rate_and_says_so(self, tmp_path):
    # A new decay factor does not change the decays that were made with the old one.
    scale, state, output = self.resumed(tmp_path, self.NEW, learning_rate_decay_factor=0.5)
    assert scale == pytest.approx(1e-3)
    assert (state['falls'], state['waited']) == (3, 2)
    assert output == 'plateau: the learning rate has been decayed to 1e-06 (3 of 3 decays).\n'

  def test_a_new_learning_rate_starts_again(self, tmp_path):
    scale, state, output = self.resumed(tmp_path, self.NEW, learning_rate=2e-3)
    assert (scale, state['falls'], state['waited'], state['best']) == (1, 0, 0, 0.9)
    assert (state['learning_rate'], state['scale']) == (2e-3, 1)
    assert output.startswith('plateau: starts again at the new learning rate 0.002, with no decays')

  def test_checkpoints_of_version_0_1_hold_only_the_number_of_decays(self, tmp_path):
    scale, state, output = self.resumed(tmp_path, self.OLD)
    assert scale == pytest.approx(1e-3)
    assert (state['falls'], state['learning_rate']) == (3, 1e-3)
    assert output == 'plateau: the learning rate has been decayed to 1e-06 (3 of 3 decays).\n'


@pytest.fixture
def train_dir(tmp_path):
  (tmp_path / 'config.json').write_text('{}')
  for step in (1, 2, 3):
    for ending in ('index', 'data-00000-of-00001', 'json'):
      (tmp_path / f'model.ckpt-{step}.{ending}').write_text(str(step))
  return tmp_path


class TestKeepBest:
  def run(self, train_dir, ends, **settings):
    config = RunConfig(keep_best=True, **settings)
    with graph_session() as session:
      hook = selection.KeepBest(config, str(train_dir), Reporter(io.StringIO()))
      session.run(tf.global_variables_initializer())
      hook.begin(session, 0)
      for epoch_end in ends:
        path = str(train_dir / epoch_end.checkpoint)
        hook.after_epoch(session, epoch_end._replace(checkpoint=path))
    return hook

  def test_the_best_folder_is_a_train_dir_and_outlives_the_checkpoint(self, train_dir):
    hook = self.run(train_dir, [end(1, 0.5), end(2, 0.9), end(3, 0.9)])
    assert (hook.state['best'], hook.state['best_step']) == (0.9, 2)
    for path in train_dir.glob('model.ckpt-2.*'):
      path.unlink()
    best = train_dir / 'best'
    assert prefixes.find_prefix(str(best)) == str(best / 'model.ckpt-2')
    assert {path.name for path in best.iterdir()} == {
      'checkpoint',
      'config.json',
      *(f'model.ckpt-2.{ending}' for ending in ('index', 'data-00000-of-00001', 'json')),
    }
    assert (best / 'model.ckpt-2.index').read_text() == '2'

  def test_loss_breaks_ties(self, train_dir):
    hook = self.run(
      train_dir, [end(1, 0.9, loss=0.9), end(2, 0.9, loss=0.5), end(3, 0.9, loss=0.6)]
    )
    assert hook.state['best_step'] == 2
    assert prefixes.find_prefix(str(train_dir / 'best')).endswith('model.ckpt-2')

  def test_the_best_by_loss_is_never_within_an_epoch(self, train_dir):
    ends = [end(1, 0.5, loss=0.3), end(2, 0.9, loss=0.4), end(3, 0.9, is_complete=False, loss=0.1)]
    assert self.run(train_dir, ends, best_metric='loss').state['best_step'] == 1

  def test_a_repeated_epoch_changes_nothing(self, train_dir):
    self.run(train_dir, [end(1, 0.5)])
    self.run(train_dir, [end(1, 0.5)])
    assert prefixes.find_prefix(str(train_dir / 'best')).endswith('model.ckpt-1')

  def test_a_link_that_a_killed_run_has_left_is_replaced(self, train_dir):
    best = train_dir / 'best'
    best.mkdir()
    left = best / '.model.ckpt-2.index.tmp'  # to the other name of a checkpoint's file
    left.hardlink_to(train_dir / 'model.ckpt-1.index')
    self.run(train_dir, [end(2, 0.9)])
    assert not left.exists()
    assert (train_dir / 'model.ckpt-1.index').read_text() == '1'


def test_early_stopping_counts_epochs_and_gives_a_reason():
  config = RunConfig(early_stop_patience=2, early_stop_min_delta=0.1)
  with graph_session() as session:
    hook = selection.EarlyStopping(config, Reporter(io.StringIO()))
    session.run(tf.global_variables_initializer())
    hook.begin(session, 0)
    reasons = []
    for step, accuracy in enumerate([0.5, 0.55, 0.7, 0.75, 0.7], start=1):
      hook.after_epoch(session, end(step, accuracy))
      reasons.append(hook.stop_reason)
  assert reasons[:4] == [None] * 4
  assert reasons[4] == (
    '2 epochs without improvement on accuracy 70.00%, loss 1.0000 at step 3 (--early_stop_patience)'
  )


def test_counters_named_by_resume_rules_exist():
  rules = [setting.resume for setting in all_settings().values()]
  with tf.Graph().as_default():
    selection.Plateau(OptimizerConfig(), 'loss', None, Reporter(io.StringIO()))
    selection.KeepBest(RunConfig(), 'run', Reporter(io.StringIO()))
    selection.EarlyStopping(RunConfig(), Reporter(io.StringIO()))
    names = {variable.op.name.partition('/')[2] for variable in tf.global_variables()}
  assert {counter for rule in rules for counter in rule.counters} == names
