import numpy as np
import pytest

from vgg_slim.errors import CheckpointError
from vgg_slim.weights import npz

ARRAYS = {
  'vgg_16/conv1/conv1_1/weights': np.array([[1, 2]], np.float32),
  'conv1_2_b': np.array([3], np.float32),
}


def test_round_trip_skips_training_state(tmp_path):
  path = str(tmp_path / 'x.npz')
  npz.write_weights(path, {**ARRAYS, 'global_step': np.int64(3)})
  got = npz.read(path)
  assert got.skipped == ('global_step',)
  assert set(got.arrays) == set(ARRAYS)
  for name, array in ARRAYS.items():
    np.testing.assert_array_equal(got.arrays[name], array)


def test_the_pickled_dict_of_vgg16_npy_is_refused_with_advice_that_works(tmp_path):
  weights, biases = np.ones([3, 3, 3, 2], np.float32), np.ones(2, np.float32)
  path = tmp_path / 'vgg16.npy'
  np.save(path, {'conv1_1': [weights, biases]}, allow_pickle=True)
  with pytest.raises(CheckpointError, match='vgg16.npy is pickled.*numpy.savez') as raised:
    npz.read(str(path))
  # Runs the advice of the message literally.
  advice = str(raised.value).partition('you trust the file, ')[2].removesuffix(' converts it.')
  converted = str(tmp_path / 'NAME.npz')
  advice = advice.replace("'NAME.npz'", repr(converted)).replace('FILE', repr(str(path)))
  eval(advice, {'numpy': np, 'zip': zip})
  assert set(npz.read(converted).arrays) == {'conv1_1_W', 'conv1_1_b'}


def test_a_pickled_member_is_named(tmp_path):
  np.savez(tmp_path / 'x.npz', a=np.ones(2), b=np.array([{}], object))
  with pytest.raises(CheckpointError, match="array 'b', is pickled"):
    npz.read(str(tmp_path / 'x.npz'))


def test_a_single_array_is_refused(tmp_path):
  np.save(tmp_path / 'x.npy', np.ones([2, 3]))
  with pytest.raises(CheckpointError, match=r'one array \[2, 3\] without names'):
    npz.read(str(tmp_path / 'x.npy'))


def test_a_truncated_file_is_named(tmp_path):
  path = tmp_path / 'x.npz'
  npz.write_weights(str(path), ARRAYS)
  path.write_bytes(path.read_bytes()[:-40])
  with pytest.raises(CheckpointError, match='x.npz cannot be read as an .npz archive'):
    npz.read(str(path))
