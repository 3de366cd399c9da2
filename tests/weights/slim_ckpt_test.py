import numpy as np
import pytest

from tests.weights.fabricated import save_checkpoint
from vgg_slim.checkpoints import restore, search
from vgg_slim.compat import tf
from vgg_slim.errors import CheckpointError
from vgg_slim.weights import slim_ckpt

ARRAYS = {
  'vgg_16/conv1/conv1_1/weights': np.array([[1, 2]], np.float32),
  'vgg_16/fc8/biases': np.ones(3, 'f'),
}


@pytest.mark.parametrize('version', [1, 2])
def test_both_formats_are_read_without_training_state(tmp_path, version):
  save_checkpoint(tmp_path / 'model.ckpt', ARRAYS, version)
  got = slim_ckpt.read(str(tmp_path / 'model.ckpt'))
  assert got.format == f'TensorFlow checkpoint V{version}'
  assert set(got.arrays) == set(ARRAYS)
  for name, array in ARRAYS.items():
    np.testing.assert_array_equal(got.arrays[name], array)
  assert got.skipped == ('global_step', 'vgg_16/conv1/conv1_1/weights/Momentum')


def test_moving_averages_are_read_instead_of_variables(tmp_path):
  """`restore.restore` does the same for every command that builds the network."""
  name, average = 'vgg_16/fc8/biases', np.full(3, 7, np.float32)
  save_checkpoint(tmp_path / 'm', {**ARRAYS, f'{name}{search.AVERAGE_SUFFIX}': average})
  got = slim_ckpt.read(str(tmp_path / 'm'))
  np.testing.assert_array_equal(got.arrays[name], average)
  assert set(got.arrays) == set(ARRAYS)
  with tf.Graph().as_default(), tf.Session() as session:
    variable = tf.get_variable(name, [3])
    restore.restore(session, str(tmp_path / 'm'))
    np.testing.assert_array_equal(session.run(variable), average)


def test_training_state_may_be_infinite(tmp_path):
  state = {'host_state/plateau': np.array([np.inf, 0]), 'learning_rate_scale': np.float32(1)}
  save_checkpoint(tmp_path / 'm', {**ARRAYS, **state}, 2)
  got = slim_ckpt.read(str(tmp_path / 'm'))
  assert set(got.arrays) == set(ARRAYS)
  assert set(state) <= set(got.skipped)


@pytest.mark.parametrize(
  ('version', 'file'), [(1, 'm'), (2, 'm.index'), (2, 'm.data-00000-of-00001')]
)
def test_a_truncated_file_is_named(tmp_path, version, file):
  save_checkpoint(tmp_path / 'm', ARRAYS, version)
  data = (tmp_path / file).read_bytes()
  (tmp_path / file).write_bytes(data[: len(data) // 2])
  with pytest.raises(CheckpointError, match='m cannot be read as a TensorFlow checkpoint'):
    slim_ckpt.read(str(tmp_path / 'm'))


def test_an_object_based_checkpoint_is_refused(tmp_path):
  with tf.Graph().as_default(), tf.Session() as session:
    variable = tf.get_variable('a', initializer=tf.ones([2]), use_resource=True)
    session.run(tf.global_variables_initializer())
    prefix = tf.train.Checkpoint(a=variable).save(str(tmp_path / 'm'), session=session)
  with pytest.raises(CheckpointError, match='object-based checkpoint of TensorFlow 2'):
    slim_ckpt.read(prefix)
