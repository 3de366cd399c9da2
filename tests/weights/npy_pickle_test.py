import io
import os
import pickle
import random
import struct

import numpy as np
import pytest

from vgg_slim.errors import CheckpointError
from vgg_slim.weights import npy_pickle

KERNEL = np.arange(54, dtype=np.float32).reshape(3, 3, 3, 2)
BIASES = np.array([0.5, -0.25], np.float32)
LAYERS = {
  'conv1_1': [KERNEL, BIASES],
  'fc6': [np.asfortranarray(np.ones([4, 3])), np.ones(3, '>f4')],
}


class Python2Pickler(pickle._Pickler):
  """Writes str and bytes with the opcodes that Python 2 used for its strings."""

  def save_string(self, value):
    data = value.encode('latin1') if isinstance(value, str) else value
    self.write(pickle.BINSTRING + struct.pack('<i', len(data)) + data)
    self.memoize(value)

  dispatch = dict(pickle._Pickler.dispatch)
  dispatch.update(dict.fromkeys((str, bytes), save_string))  # type: ignore[arg-type]


def python2_pickle(value):
  buffer = io.BytesIO()
  Python2Pickler(buffer, protocol=2).dump(value)
  return buffer.getvalue().replace(b'numpy._core', b'numpy.core')


def write_npy(path, content):
  """Writes an array of one object whose pickle is `content`."""
  with path.open('wb') as file:
    header = {'descr': '|O', 'fortran_order': False, 'shape': ()}
    np.lib.format.write_array_header_1_0(file, header)
    file.write(content)
  return str(path)


def boxed(value):
  array = np.empty([], object)
  array[()] = value
  return array


def check_like_numpy(path):
  """Compares the arrays with those that numpy.load, which runs the pickle, returns."""
  theirs = np.load(path, allow_pickle=True, encoding='latin1').item()
  got = npy_pickle.read(path).arrays
  assert set(got) == {f'{layer}/{part}' for layer in theirs for part in ('weights', 'biases')}
  for layer, (kernel, biases) in theirs.items():
    np.testing.assert_array_equal(got[f'{layer}/weights'], kernel.astype(np.float32))
    np.testing.assert_array_equal(got[f'{layer}/biases'], biases.astype(np.float32))


@pytest.mark.parametrize('protocol', [0, 1, 2, 3, 4])
def test_dicts_of_python_3(tmp_path, protocol):
  check_like_numpy(write_npy(tmp_path / 'x.npy', pickle.dumps(boxed(LAYERS), protocol)))


def test_dicts_of_python_2(tmp_path):
  check_like_numpy(write_npy(tmp_path / 'x.npy', python2_pickle(boxed(LAYERS))))


@pytest.mark.parametrize(
  ('layers', 'names'),
  [
    ({'conv1_1': {'weights': KERNEL, 'biases': BIASES}}, ['conv1_1/weights', 'conv1_1/biases']),
    ({'conv1_1': {0: KERNEL, 1: BIASES}}, ['conv1_1/weights', 'conv1_1/biases']),
    ({'bn2a': {'scale': BIASES, 'mean': BIASES}}, ['bn2a/gamma', 'bn2a/moving_mean']),
    ({'vgg_16/fc6/weights:0': KERNEL}, ['vgg_16/fc6/weights:0']),
    ({b'fc8': (KERNEL,)}, ['fc8/weights']),
    ({'fc8': [np.float32(3)]}, ['fc8/weights']),
    ({'fc8/biases': BIASES, 'global_step': np.int64(3)}, ['fc8/biases']),
  ],
)
def test_layouts(tmp_path, layers, names):
  np.save(tmp_path / 'x.npy', layers, allow_pickle=True)
  assert list(npy_pickle.read(str(tmp_path / 'x.npy')).arrays) == names


class Runs:
  """Runs a command when it is unpickled."""

  def __reduce__(self):
    return os.system, ('touch ran',)


@pytest.mark.parametrize('protocol', [0, 2, 4])
@pytest.mark.parametrize('layers', [{'conv1_1': [Runs()]}, Runs()])
def test_code_is_not_run_and_is_named(tmp_path, monkeypatch, layers, protocol):
  monkeypatch.chdir(tmp_path)
  path = write_npy(tmp_path / 'x.npy', pickle.dumps(boxed(layers), protocol))
  with pytest.raises(CheckpointError, match=r'x.npy is a pickle with the name \w+.system'):
    npy_pickle.read(path)
  assert not (tmp_path / 'ran').exists()
  np.load(path, allow_pickle=True)
  assert (tmp_path / 'ran').exists()  # the file would have run


HUGE = struct.pack('<Q', 2**62)


@pytest.mark.parametrize(
  ('content', 'message'),
  [
    (b'cnumpy.core.multiarray\nfromstring\n.', 'the name numpy.core.multiarray.fromstring'),
    (b"(S'touch ran'\nios\nsystem\n.", 'the name os.system'),
    (b'\x82\x01.', 'cannot be read as a .npy file'),  # the registry of extensions
    (b'\x96' + HUGE + b'.', 'cannot be read'),  # a bytearray of a declared size
    (b'\x8e' + HUGE + b'x.', 'is the file complete'),  # bytes that the file does not have
    (b'Nr' + struct.pack('<I', 2**31) + b'.', 'array of objects'),  # a memo of 2**31 entries
    (b'N0' * (npy_pickle._MAX_READS // 2 + 1), 'more than 1000000 parts'),
    (b'\x80\x04\x95' + struct.pack('<Q', 2**40) + b'N0' * 2**19 + b'.', 'more than 1000000 parts'),
    (b'', 'is the file complete'),
  ],
)
def test_hostile_pickles_are_refused_in_words(tmp_path, content, message):
  with pytest.raises(CheckpointError, match=message):
    npy_pickle.read(write_npy(tmp_path / 'x.npy', content))


@pytest.mark.parametrize(
  ('state', 'message'),
  [
    (((2,), 'f4', b'\0' * 7), 'incomplete'),
    (((2**40, 2**40), 'f4', b'\0' * 8), 'incomplete'),
    (((-1, -2), 'f4', b'\0' * 8), 'has the shape'),
    ((('x', 10**12), 'f4', b'\0' * 8), 'has the shape'),
    (((1,) * 40, 'f4', b'\0' * 4), 'has the shape'),
    (((1,), 'V1000000', b'\0' * 4), 'an array of type <V1000000'),
    (((2,), 'O8', [1]), 'incomplete'),
  ],
)
def test_arrays_that_declare_something_else_than_they_hold(state, message):
  shape, code, content = state
  dtype = npy_pickle._DType(code)
  dtype.__setstate__((3, '<'))
  with pytest.raises((ValueError, pickle.UnpicklingError), match=message):
    npy_pickle._Array().__setstate__((1, shape, dtype, False, content))


@pytest.mark.parametrize(
  ('value', 'message'),
  [
    (np.ones([2, 3]), r'one array \[2, 3\] without names'),
    (np.array([{}, {}], object), 'expected a single dict of layers'),
    ({}, 'the dict is empty'),
    ({'a': 3, 'b': [KERNEL, 'x']}, 'a is of type int; b/biases is of type str'),
    ({'a': np.array([{}], object)}, 'a is an array of objects'),
    ({'a': np.array([np.nan], np.float32)}, 'not finite'),
    ({i: KERNEL for i in range(100)}, 'repeats its arrays'),
  ],
)
def test_other_contents_are_named(tmp_path, value, message):
  np.save(tmp_path / 'x.npy', value, allow_pickle=True)
  with pytest.raises(CheckpointError, match=message):
    npy_pickle.read(str(tmp_path / 'x.npy'))


def test_large_files_are_refused_unread(tmp_path):
  with (tmp_path / 'x.npy').open('wb') as file:
    file.truncate(npy_pickle._MAX_BYTES + 1)  # a sparse file
  with pytest.raises(CheckpointError, match='has 4294967297 bytes'):
    npy_pickle.read(str(tmp_path / 'x.npy'))


def test_damaged_files_are_read_or_refused_in_words(tmp_path):
  whole = python2_pickle(boxed(LAYERS))
  draw = random.Random(0)
  refused = 0
  for _ in range(500):
    content = bytearray(whole)
    for _ in range(draw.randint(1, 4)):
      content[draw.randrange(len(content))] = draw.randrange(256)
    try:
      npy_pickle.read(write_npy(tmp_path / 'x.npy', bytes(content)))
    except CheckpointError:
      refused += 1
  assert refused > 100
