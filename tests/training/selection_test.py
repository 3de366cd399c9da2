import dataclasses
import io

import pytest

from tests.testing import graph_session
from vgg_slim.compat import tf
from vgg_slim.config import OptimizerConfig, RunConfig
from vgg_slim.training import selection
from vgg_slim.training.hooks import EpochEnd
from vgg_slim.training.progress import Reporter
from vgg_slim.weights import prefixes


@dataclasses.dataclass
class Scores:
  top_1_accuracy: float
  loss: float = 1.0


def end(step, accuracy, is_whole=True, **scores):
  return EpochEnd(step, f'model.ckpt-{step}', is_whole, Scores(accuracy, **scores))


class TestPlateau:
  def rates(self, accuracies, **settings):
    """The scale of the learning rate after each of the epochs."""
    output = io.StringIO()
    config = OptimizerConfig(
      1.0, 'plateau', 0.1, **{'plateau_patience': 2, 'plateau_max_falls': 2, **settings}
    )
    with graph_session() as session:
      scale = tf.get_variable('learning_rate_scale', initializer=1.0)
      hook = selection.Plateau(config, 'accuracy', scale, Reporter(output))
      session.run(tf.global_variables_initializer())
      hook.begin(session, 0)
      found = []
      for epoch, accuracy in enumerate(accuracies, start=1):
        hook.after_epoch(session, end(epoch, accuracy))
        found.append(float(session.run(scale)))
      return found, output.getvalue()

  def test_divides_by_ten_when_validation_stops_improving_and_n_times_at_most(self):
    found, output = self.rates([0.5, 0.6, 0.6, 0.55, 0.7, 0.7, 0.7, 0.7, 0.7])
    assert found == pytest.approx([1, 1, 1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01])
    first, second = output.splitlines()
    assert first == 'No better than accuracy 0.6000 at step 2: the learning rate falls to 0.1.'
    assert second.endswith('accuracy 0.7000 at step 5: the learning rate falls to 0.01.')

  def test_less_than_min_delta_is_no_improvement(self):
    assert self.rates([0.5, 0.51, 0.52], plateau_min_delta=0.05)[0] == pytest.approx([1, 1, 0.1])


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
      for one in ends:
        path = str(train_dir / one.checkpoint)
        hook.after_epoch(session, one._replace(checkpoint=path))
    return hook

  def test_the_best_is_a_train_dir_and_outlives_the_checkpoint(self, train_dir):
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

  def test_by_loss_and_never_within_an_epoch(self, train_dir):
    ends = [end(1, 0.5, loss=0.3), end(2, 0.9, loss=0.4), end(3, 0.9, is_whole=False, loss=0.1)]
    assert self.run(train_dir, ends, best_metric='loss').state['best_step'] == 1

  def test_the_same_epoch_again_changes_nothing(self, train_dir):
    self.run(train_dir, [end(1, 0.5)])
    self.run(train_dir, [end(1, 0.5)])
    assert prefixes.find_prefix(str(train_dir / 'best')).endswith('model.ckpt-1')


def test_early_stopping_counts_epochs_and_says_why():
  config = RunConfig(early_stop_patience=2, early_stop_min_delta=0.1)
  with graph_session() as session:
    hook = selection.EarlyStopping(config)
    session.run(tf.global_variables_initializer())
    hook.begin(session, 0)
    reasons = []
    for step, accuracy in enumerate([0.5, 0.55, 0.7, 0.75, 0.7], start=1):
      hook.after_epoch(session, end(step, accuracy))
      reasons.append(hook.stop_reason)
  assert reasons[:4] == [None] * 4
  assert reasons[4] == ('2 epochs no better than accuracy 0.7000 at step 3 (--early_stop_patience)')
