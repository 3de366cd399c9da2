import os
import random

import h5py
import numpy as np
import pytest

from vgg_slim.errors import CheckpointError
from vgg_slim.weights import child_reader, isolated, keras_h5
from vgg_slim.weights.foreign import ForeignWeights


def write_h5(path, **dataset):
  with h5py.File(path, 'w') as file:
    file.attrs['layer_names'] = ['a']
    group = file.create_group('a')
    group.attrs['weight_names'] = ['kernel', 'bias']
    group['bias'] = np.array([1.5, -2.0], np.float32)
    group.create_dataset('kernel', **dataset)
  return str(path)


def read_in_parent(path):  # runs in the child
  return ForeignWeights(
    'format', 'keras', {'a': np.ones(2, np.float32)}, ('skipped',), in_order=True,
    epsilons={'a': 1e-3},
  )  # fmt: skip


def test_all_fields_survive_the_way_through_the_child(tmp_path):
  (tmp_path / 'x').touch()
  there = child_reader.read(read_in_parent, str(tmp_path / 'x'))
  here = read_in_parent('x')
  np.testing.assert_array_equal(there.arrays.pop('a'), here.arrays.pop('a'))
  assert there == here


def test_a_file_of_keras_is_read_to_the_bit(tmp_path):
  kernel = np.random.default_rng(0).normal(size=(3, 3, 4, 2)).astype(np.float32)
  foreign = child_reader.read(keras_h5.read, write_h5(tmp_path / 'a.h5', data=kernel))
  assert foreign.format == 'Keras .h5'
  np.testing.assert_array_equal(foreign.arrays['a/kernel'], kernel)


def test_64_tebibytes_in_a_small_file_are_refused(tmp_path):
  path = write_h5(tmp_path / 'a.h5', shape=(2**22, 2**22), dtype='f4', chunks=(1024, 1024))
  assert os.path.getsize(path) < 20_000
  with pytest.raises(
    CheckpointError, match=r'a\.h5 cannot be read: it declares more than 2\.0 GiB'
  ):
    child_reader.read(keras_h5.read, path)


def test_limits_grow_with_the_file(tmp_path):
  with (tmp_path / 'x').open('wb') as file:
    file.truncate(600_000_000)
  # 600 MB of float16 in an archive: the member, the arrays, and the arrays as float32.
  limits = child_reader.limits_of(str(tmp_path / 'x'))
  assert limits.memory_bytes > 4 * 600_000_000 + 10**9
  assert limits.cpu_seconds == 60 + 60
  assert isinstance(limits, isolated.Limits)


def test_changed_bytes_end_as_a_result_or_as_one_line(tmp_path):
  # Six of the 2,000 executions of a campaign, none of which ended the parent. Nearly all bytes of
  # this file are metadata.
  path = write_h5(tmp_path / 'a.h5', data=np.ones((2, 2), np.float32), chunks=(1, 2), compression=9)
  intact = (tmp_path / 'a.h5').read_bytes()
  rng = random.Random(0)
  for _ in range(6):
    changed = bytearray(intact)
    for _ in range(rng.randint(1, 4)):
      changed[rng.randrange(len(changed))] = rng.randrange(256)
    (tmp_path / 'a.h5').write_bytes(changed)
    try:
      child_reader.read(keras_h5.read, path, isolated.Limits(2**31, 5))
    except CheckpointError as error:
      assert str(error).startswith(path)
      assert '\n' not in str(error)
