import numpy as np
import pytest

from vgg_slim.compat import tf
from vgg_slim.errors import DamagedCheckpointError
from vgg_slim.training.variable_release import VariableRelease

LARGE, SMALL = [512, 512], [512, 511]  # 1 MiB in float32, and just less


@pytest.fixture
def run(tmp_path):
  """A session with two variables, and a checkpoint of both."""
  with tf.Graph().as_default(), tf.Session() as session:
    rng = np.random.default_rng(0)
    values = [rng.normal(size=shape).astype(np.float32) for shape in (LARGE, SMALL)]
    variables = [tf.get_variable(f'v{i}', initializer=v) for i, v in enumerate(values)]
    session.run(tf.global_variables_initializer())
    checkpoint = tf.train.Saver().save(session, str(tmp_path / 'model.ckpt'))
    yield session, variables, values, checkpoint


def test_a_large_variable_is_released_and_restored(run):
  session, (large, small), values, checkpoint = run
  changed = small.assign_add(tf.ones(SMALL))
  exists = [variable.is_initialized() for variable in (large, small)]
  release = VariableRelease()
  for _ in range(2):
    with release.hold(session, checkpoint):
      assert session.run(exists) == [False, True]
      session.run(changed)  # nothing that stays is restored
    np.testing.assert_array_equal(session.run(large), values[0])
  np.testing.assert_allclose(session.run(small), values[1] + 2, atol=1e-6)  # two roundings


def test_an_error_leaves_it_released_and_is_not_hidden(run):
  session, (large, _), _, checkpoint = run
  exists = large.is_initialized()
  release = VariableRelease()
  with pytest.raises(KeyError, match='stop'), release.hold(session, checkpoint):
    raise KeyError('stop')
  assert not session.run(exists)


def test_a_graph_of_small_variables_has_nothing_to_release(tmp_path):
  with tf.Graph().as_default(), tf.Session() as session:
    small = tf.get_variable('v', initializer=np.ones(SMALL, np.float32))
    session.run(small.initializer)
    with VariableRelease().hold(session, str(tmp_path / 'absent')):
      np.testing.assert_array_equal(session.run(small), 1)


def test_a_checkpoint_that_is_gone_is_named(run, tmp_path):
  session, _, _, checkpoint = run
  release = VariableRelease()
  with pytest.raises(DamagedCheckpointError, match='model.ckpt'), release.hold(session, checkpoint):
    (tmp_path / 'model.ckpt.index').unlink()
