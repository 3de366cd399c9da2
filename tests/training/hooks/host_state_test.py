import math

import pytest

from tests.testing import graph_session
from vgg_slim.compat import tf
from vgg_slim.errors import CheckpointError
from vgg_slim.training.hooks.host_state import HostState


def test_numbers_are_restored_bit_for_bit(tmp_path):
  written = {'best': -math.inf, 'sum': 1 / 3, 'count': 2**53 - 1}
  with graph_session() as session:
    state = HostState('run', best=0.0, sum=0.0, count=0)
    session.run(tf.global_variables_initializer())
    state.update(**written)
    state.write(session)
    path = tf.train.Saver().save(session, str(tmp_path / 'model.ckpt'))
  with graph_session() as session:
    state = HostState('run', best=0.0, sum=0.0, count=0)
    tf.train.Saver().restore(session, path)
    state.read(session)
    assert {name: state[name] for name in written} == written
    assert [v.op.name for v in tf.global_variables()] == ['host_state/run']
    assert not tf.trainable_variables()


def restored(tmp_path, written, **initial):
  with graph_session() as session:
    HostState('run', **written)
    session.run(tf.global_variables_initializer())
    path = tf.train.Saver().save(session, str(tmp_path / 'model.ckpt'))
  with graph_session() as session:
    state = HostState('run', **initial)
    tf.train.Saver().restore(session, path)
    state.read(session)
    state.write(session)
    again = tf.train.Saver().save(session, str(tmp_path / 'again.ckpt'))
  stored = tf.train.load_checkpoint(again).get_tensor('host_state/run')
  return {name: state[name] for name in initial}, stored.tolist()


def test_numbers_that_an_older_checkpoint_lacks_get_initial_values(tmp_path):
  got, stored = restored(tmp_path, {'best': 0.5, 'count': 3}, best=0.0, count=0, later=7.0)
  assert got == {'best': 0.5, 'count': 3, 'later': 7.0}
  assert stored == [0.5, 3, 7]


def test_a_checkpoint_of_a_later_version_is_refused(tmp_path):
  with pytest.raises(CheckpointError, match='host_state/run .* holds 2 numbers, .* knows 1'):
    restored(tmp_path, {'best': 0.5, 'later': 3}, best=0.0)
