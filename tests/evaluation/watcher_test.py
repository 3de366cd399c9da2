import dataclasses
import types

import numpy as np
import pytest

from tests.testing import assign, graph_session, make_data_set, random_values, train_config
from vgg_slim.checkpoints import prefixes, search
from vgg_slim.compat import tf
from vgg_slim.data import manifest as manifests
from vgg_slim.errors import CheckpointError
from vgg_slim.evaluation import results, validation, watcher
from vgg_slim.evaluation.eval_config import EvalConfig
from vgg_slim.evaluation.runner import Evaluator
from vgg_slim.nets import registry
from vgg_slim.nets.mode import Inference

REQUEST = EvalConfig(test_scales=(32,), views=('center',), split='train', flip=False)
TIMEOUT = 60


class Time:
  """A clock that only `sleep` advances; each sleep calls the next one of `events`."""

  def __init__(self, *events):
    self.now, self._events = 0.0, list(events)

  def clock(self):
    return self.now

  def sleep(self, seconds):
    self.now += seconds
    if self._events:
      self._events.pop(0)()


@pytest.fixture(scope='module')
def run(tmp_path_factory):
  data_dir, manifest = make_data_set(tmp_path_factory.mktemp('watched') / 'data', per_class=4)
  config = train_config(data_dir, manifest)
  return dataclasses.replace(config, net=dataclasses.replace(config.net, model='vgg_a@4'))


@pytest.fixture(scope='module')
def manifest(run):
  return manifests.read_manifest(run.data_dir)


@pytest.fixture(scope='module')
def evaluator(run, manifest):
  with Evaluator(run, run.data_dir, manifest, REQUEST) as evaluator:
    yield evaluator


@pytest.fixture
def validator(evaluator, run, manifest):
  shards = manifests.shard_paths(run.data_dir, manifest, 'train')
  return validation.Validator(evaluator, REQUEST, evaluator.classes, shards)


@pytest.fixture(scope='module')
def session(run):
  """A session with the variables of the network and a moving average of each."""
  with graph_session() as session:
    registry.build_from_config(run.net, tf.zeros([1, 32, 32, 3]), Inference())
    for variable in tf.trainable_variables():
      name = f'{variable.op.name}{search.AVERAGE_SUFFIX}'
      tf.get_variable(name, variable.shape, trainable=False)
    tf.train.get_or_create_global_step()
    yield session


@pytest.fixture
def save(session, tmp_path):
  """Writes checkpoints of the given steps to `tmp_path`, each with different weights."""
  with session.graph.as_default():
    saver = tf.train.Saver()
    shapes = {v.op.name: v.shape.as_list() for v in tf.global_variables()}

    def write(*steps):
      for step in steps:
        assign(session, {**random_values(shapes, step, 0.2), 'global_step': np.int64(step)})
        saver.save(session, str(tmp_path / 'model.ckpt'), step, write_meta_graph=False)

    yield write


def watch(folder, evaluate_fn, last_step=None, time=None):
  time = time or Time()
  return watcher.watch(str(folder), evaluate_fn, last_step, TIMEOUT, time.clock, time.sleep)


def remove(checkpoint):
  for path in prefixes.list_files(str(checkpoint)):
    path.unlink()


def steps(outcomes):
  return [outcome.result and outcome.result.step for outcome in outcomes]


def test_each_checkpoint_is_scored_as_if_alone_until_the_last_step(
  run, manifest, validator, save, tmp_path
):
  save(1, 2)
  time = Time(lambda: None, lambda: save(3))
  outcomes = list(watch(tmp_path, validator.run, last_step=3, time=time))
  assert steps(outcomes) == [1, 2, 3]
  assert time.now == 2 * watcher._POLL_SECONDS  # it does not wait for a step 4
  losses = [outcome.result.loss for outcome in outcomes]
  assert len(set(losses)) == 3
  with Evaluator(run, run.data_dir, manifest, REQUEST) as alone:
    for outcome in reversed(outcomes):
      expected = results.combine([alone.score(outcome.checkpoint)], 'center').result
      assert outcome.result.checkpoint == expected.checkpoint
      assert outcome.result.top_1_error == expected.top_1_error
      # float32 sums may be computed in a different order.
      assert outcome.result.loss == pytest.approx(expected.loss, rel=1e-5)


@pytest.mark.parametrize(('owner', 'read'), [(Evaluator, 'score'), (tf.train.Saver, 'restore')])
def test_a_removed_checkpoint_is_skipped(validator, save, tmp_path, monkeypatch, owner, read):
  save(1, 2)
  original = getattr(owner, read)

  def removed_just_before(self, *arguments):
    checkpoint = next(argument for argument in arguments if isinstance(argument, str))
    if checkpoint.endswith('-1'):
      remove(checkpoint)
    return original(self, *arguments)

  monkeypatch.setattr(owner, read, removed_just_before)
  outcomes = list(watch(tmp_path, validator.run, last_step=2))
  assert steps(outcomes) == [None, 2]
  assert outcomes[0].problem == f'{tmp_path}/model.ckpt-1 was removed before it could be read.'


def test_a_checkpoint_removed_during_its_evaluation_is_scored(evaluator, save, tmp_path):
  save(1)
  checkpoint = tmp_path / 'model.ckpt-1'
  assert evaluator.score(str(checkpoint), lambda *_: remove(checkpoint)).step == 1


@pytest.mark.parametrize('ending', ['data-00000-of-00001', 'index'])
def test_a_damaged_checkpoint_is_skipped(validator, save, tmp_path, ending):
  save(1, 2)
  file = tmp_path / f'model.ckpt-1.{ending}'
  file.write_bytes(file.read_bytes()[:100])
  outcomes = list(watch(tmp_path, validator.run, last_step=2))
  assert steps(outcomes) == [None, 2]
  assert f'{tmp_path}/model.ckpt-1 cannot be read: its ' in outcomes[0].problem
  assert outcomes[0].problem.endswith('It is skipped.')


def test_an_undamaged_checkpoint_that_cannot_be_evaluated_is_an_error(save, tmp_path):
  def evaluate(checkpoint):
    raise CheckpointError(f'{checkpoint} does not fit the network')

  save(1)
  with pytest.raises(CheckpointError, match='does not fit the network'):
    list(watch(tmp_path, evaluate))


def test_watching_ends_when_no_new_checkpoint_comes(tmp_path):
  def write(step):
    (tmp_path / f'model.ckpt-{step}.index').touch()
    tf.train.update_checkpoint_state(str(tmp_path), str(tmp_path / f'model.ckpt-{step}'))

  def evaluate(checkpoint):
    time.now += 2 * TIMEOUT  # evaluation time does not count as waiting
    return types.SimpleNamespace(step=int(checkpoint.rpartition('-')[2]))

  time = Time(lambda: None, lambda: write(1), lambda: write(2))
  assert steps(watch(tmp_path, evaluate, last_step=3, time=time)) == [1, 2]
  waited_before_the_first = 3 * watcher._POLL_SECONDS
  assert time.now == waited_before_the_first + 2 * 2 * TIMEOUT + TIMEOUT
  assert steps(watch(tmp_path, evaluate)) == [2]  # the last step is unknown
  time = Time()
  assert list(watch(tmp_path / 'empty', evaluate, time=time)) == []
  assert time.now == TIMEOUT


def test_the_last_step(run, manifest):
  other = dataclasses.replace(run, data_fingerprint='of other images')
  per_epoch = manifest.split('train').num_examples / run.run.batch_size
  assert watcher.last_step(run, manifest) == 2 * per_epoch
  assert watcher.last_step(other, manifest) is None
  fixed = dataclasses.replace(other, run=dataclasses.replace(run.run, max_steps=5))
  assert watcher.last_step(fixed, manifest) == 5
