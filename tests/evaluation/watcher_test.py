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
  """A clock that only sleeping moves; `events` happen one by one, each in a sleep."""

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
  with Evaluator(run, run.data_dir, manifest, REQUEST) as made:
    yield made


@pytest.fixture
def validator(evaluator, run, manifest):
  shards = manifests.shard_paths(run.data_dir, manifest, 'train')
  return validation.Validator(evaluator, REQUEST, evaluator.classes, shards)


@pytest.fixture(scope='module')
def session(run):
  """Of the network's variables, with an average beside each."""
  with graph_session() as session:
    registry.build_from_config(run.net, tf.zeros([1, 32, 32, 3]), Inference())
    for variable in tf.trainable_variables():
      name = f'{variable.op.name}{search.AVERAGE_SUFFIX}'
      tf.get_variable(name, variable.shape, trainable=False)
    tf.train.get_or_create_global_step()
    yield session


@pytest.fixture
def save(session, tmp_path):
  """Writes checkpoints of the given steps to `tmp_path`, each with weights of its own."""
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


def steps(seen):
  return [one.result and one.result.step for one in seen]


def test_each_checkpoint_as_alone_until_the_last_step(run, manifest, validator, save, tmp_path):
  save(1, 2)
  time = Time(lambda: None, lambda: save(3))
  seen = list(watch(tmp_path, validator.run, last_step=3, time=time))
  assert steps(seen) == [1, 2, 3]
  assert time.now == 2 * watcher._SECONDS_BETWEEN_LOOKS  # it does not wait for a step 4
  losses = [one.result.loss for one in seen]
  assert len(set(losses)) == 3
  with Evaluator(run, run.data_dir, manifest, REQUEST) as alone:
    for one in reversed(seen):
      expected = results.combine([alone.score(one.checkpoint)], 'center').result
      assert one.result.checkpoint == expected.checkpoint
      assert one.result.top_1_error == expected.top_1_error
      # Sums of float32 may come in another order.
      assert one.result.loss == pytest.approx(expected.loss, rel=1e-5)


@pytest.mark.parametrize(('owner', 'read'), [(Evaluator, 'score'), (tf.train.Saver, 'restore')])
def test_a_removed_checkpoint_is_passed_over(validator, save, tmp_path, monkeypatch, owner, read):
  save(1, 2)
  original = getattr(owner, read)

  def removed_just_before(self, *arguments):
    if arguments[-1].endswith('-1'):
      remove(arguments[-1])
    return original(self, *arguments)

  monkeypatch.setattr(owner, read, removed_just_before)
  seen = list(watch(tmp_path, validator.run, last_step=2))
  assert steps(seen) == [None, 2]
  assert seen[0].problem == f'{tmp_path}/model.ckpt-1 was removed before it was read.'


def test_a_checkpoint_removed_during_its_evaluation_counts(evaluator, save, tmp_path):
  save(1)
  checkpoint = tmp_path / 'model.ckpt-1'
  assert evaluator.score(str(checkpoint), lambda *_: remove(checkpoint)).step == 1


@pytest.mark.parametrize('ending', ['data-00000-of-00001', 'index'])
def test_a_damaged_checkpoint_is_passed_over(validator, save, tmp_path, ending):
  save(1, 2)
  file = tmp_path / f'model.ckpt-1.{ending}'
  file.write_bytes(file.read_bytes()[:100])
  seen = list(watch(tmp_path, validator.run, last_step=2))
  assert steps(seen) == [None, 2]
  assert f'{tmp_path}/model.ckpt-1 cannot be read: its ' in seen[0].problem
  assert seen[0].problem.endswith('It is passed over.')


def test_what_is_wrong_with_every_checkpoint_is_an_error(save, tmp_path):
  def evaluate(checkpoint):
    raise CheckpointError(f'{checkpoint} does not fit the network')

  save(1)
  with pytest.raises(CheckpointError, match='does not fit the network'):
    list(watch(tmp_path, evaluate))


def test_it_ends_when_nothing_new_comes(tmp_path):
  def write(step):
    (tmp_path / f'model.ckpt-{step}.index').touch()
    tf.train.update_checkpoint_state(str(tmp_path), str(tmp_path / f'model.ckpt-{step}'))

  def evaluate(checkpoint):
    time.now += 2 * TIMEOUT  # is no waiting
    return types.SimpleNamespace(step=int(checkpoint.rpartition('-')[2]))

  time = Time(lambda: None, lambda: write(1), lambda: write(2))
  assert steps(watch(tmp_path, evaluate, last_step=3, time=time)) == [1, 2]
  waited_at_first = 3 * watcher._SECONDS_BETWEEN_LOOKS
  assert time.now == waited_at_first + 2 * 2 * TIMEOUT + TIMEOUT
  assert steps(watch(tmp_path, evaluate)) == [2]  # whose last step nobody knows
  time = Time()
  assert list(watch(tmp_path / 'empty', evaluate, time=time)) == []
  assert time.now == TIMEOUT


def test_the_last_step(run, manifest):
  other = dataclasses.replace(run, data_fingerprint='of other pictures')
  per_epoch = manifest.split('train').num_examples / run.run.batch_size
  assert watcher.last_step(run, manifest) == 2 * per_epoch
  assert watcher.last_step(other, manifest) is None
  fixed = dataclasses.replace(other, run=dataclasses.replace(run.run, max_steps=5))
  assert watcher.last_step(fixed, manifest) == 5
