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


def test_a_pickled_member_is_named(tmp_path):
  np.savez(tmp_path / 'x.npz', a=np.ones(2), b=np.array([{}], object))
  with pytest.raises(CheckpointError, match="array 'b', is pickled"):
    npz.read(str(tmp_path / 'x.npz'))


def test_a_truncated_file_is_named(tmp_path):
  path = tmp_path / 'x.npz'
  npz.write_weights(str(path), ARRAYS)
  path.write_bytes(path.read_bytes()[:-40])
  with pytest.raises(CheckpointError, match='x.npz cannot be read as an .npz archive'):
    npz.read(str(path))


def test_the_first_vgg16_npz_is_known_by_its_names(tmp_path):
  path = str(tmp_path / 'x.npz')
  npz.write_weights(path, {'conv1_1_W': np.ones([3, 3, 3, 2], np.float32)})
  assert 'feeds R, G, B' in npz.read(path).input_note
  npz.write_weights(path, ARRAYS)
  assert npz.read(path).input_note == ''
