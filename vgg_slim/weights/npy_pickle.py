"""Reads `.npy` files that hold a pickled dict of layers, without running code. No TensorFlow.

TensorFlow 1's VGGs were published like this, such as `vgg16.npy`: {'conv1_1': [kernel, biases]}.
A pickle is a program for a small machine that may call any function. Here that machine knows only
stand-ins for the four functions that arrays are made of, so that not even NumPy's own constructors
see what the file says; any other name is refused.
"""

import itertools
import math
import mmap
import pickle
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from vgg_slim.errors import CheckpointError
from vgg_slim.weights.foreign import ForeignWeights, as_float32, is_bookkeeping, unreadable

FORMAT = 'pickled .npy'

_MAX_BYTES = 4 * 2**30  # seven times a VGG19
_MAX_READS = 10**6  # one opcode takes one to three; a VGG16 takes about 2,000
_MAX_ARRAYS = 10**4
_MAX_RANK = 8

_PARTS = ('weights', 'biases')
# Names of caffe-tensorflow.
_NORM_PARTS = {
  'scale': 'gamma',
  'offset': 'beta',
  'mean': 'moving_mean',
  'variance': 'moving_variance',
}

_INPUT_NOTE = (
  'input: VGG .npy files converted from Caffe (machrisaa/tensorflow-vgg, caffe-tensorflow) take '
  'B, G, R; give --bgr for them. Their mean is that of --rgb_mean.'
)


class _Refused(pickle.UnpicklingError):
  """The pickle asks for something other than arrays; the message says what."""


def read(path: str) -> ForeignWeights:
  """Reads a dict of layers; a layer is [kernel, biases], a dict of named arrays, or one array.

  Raises:
    CheckpointError: the file is truncated, damaged or too large, or holds something else.
  """
  try:
    with open(path, 'rb') as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
      if len(content) > _MAX_BYTES:
        raise CheckpointError(
          f'{path} has {len(content)} bytes; pickles of at most {_MAX_BYTES} bytes are read.'
        )
      layers = _read_layers(path, content)
      arrays = dict(_named_arrays(path, layers))
      if sum(array.nbytes for array in arrays.values()) > len(content):
        raise CheckpointError(f'{path} repeats its arrays; expected one array per variable.')
  except _Refused as error:
    raise CheckpointError(
      f'{path} is a pickle with {error}. Only dicts of NumPy arrays are read from a pickle, as '
      'anything else could run code; nothing was run. If you trust the file, load it in a program '
      'of your own and save its arrays by name with numpy.savez.'
    ) from error
  except _PICKLE_ERRORS as error:
    raise unreadable(path, 'a .npy file', error) from error
  skipped = tuple(filter(is_bookkeeping, arrays))
  kept = {name: array for name, array in arrays.items() if name not in skipped}
  return ForeignWeights(FORMAT, 'npz', as_float32(path, kept), skipped, input_note=_INPUT_NOTE)


# What a damaged pickle makes the unpickler raise.
_PICKLE_ERRORS = (
  pickle.UnpicklingError,
  ArithmeticError,
  AttributeError,
  EOFError,
  ImportError,
  LookupError,
  MemoryError,
  OSError,
  RecursionError,
  TypeError,
  ValueError,
)


def _read_layers(path: str, content: mmap.mmap) -> dict[Any, Any]:
  version = np.lib.format.read_magic(content)
  read_header = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
  }[version]
  shape, _, dtype = read_header(content)
  if not dtype.hasobject:
    raise CheckpointError(
      f'{path} holds one array {list(shape)} without names; expected a dict of layers, or an .npz '
      'with one array per variable.'
    )
  array = _ArrayUnpickler(_CountedReads(content)).load()
  objects = array.value if isinstance(array, _Array) else None
  if not isinstance(objects, list) or len(objects) != 1 or not isinstance(objects[0], dict):
    raise CheckpointError(f'{path} holds an array of objects; expected a single dict of layers.')
  return objects[0]


def _named_arrays(path: str, layers: dict[Any, Any]) -> Iterator[tuple[str, np.ndarray]]:
  """Yields arrays as 'LAYER/PART'."""
  found, problems = 0, []
  for key, value in layers.items():
    layer = _text(key)
    for part, array in _parts(value):
      found += 1
      if found > _MAX_ARRAYS:
        raise CheckpointError(f'{path} holds more than {_MAX_ARRAYS} arrays.')
      name = f'{layer}/{part}' if part else layer
      if not isinstance(array, _Array):
        problems.append(f'{name} is of type {type(array).__name__}')
      elif isinstance(array.value, list):
        problems.append(f'{name} is an array of objects')
      else:
        yield name, array.value
  if problems or not found:
    got = '; '.join(problems[:8]) or 'the dict is empty'
    raise CheckpointError(f'{path}: expected arrays, but {got}.')


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
  if isinstance(value, dict):
    for key, part in value.items():
      name = _PARTS[key] if key in (0, 1) else _text(key)
      yield _NORM_PARTS.get(name, name), part
  elif isinstance(value, list | tuple):
    yield from zip(itertools.chain(_PARTS, map(str, itertools.count(2))), value, strict=False)
  else:
    yield '', value


class _DType:
  """Stands for `numpy.dtype`."""

  def __init__(self, code: Any, align: Any = False, copy: Any = False) -> None:
    self._code = _text(code)
    self._order = '|'

  def __setstate__(self, state: tuple) -> None:
    self._order = _text(state[1])

  def resolve(self) -> np.dtype:
    """Returns the NumPy type of plain numbers, or of objects."""
    if not re.fullmatch(r'[bfiu]\d{1,2}|O8?', self._code) or self._order not in (
      '<',
      '>',
      '|',
      '=',
    ):
      raise _Refused(f'an array of type {self._order}{self._code}')
    return np.dtype(self._order.strip('|') + self._code)


class _Array:
  """Stands for `numpy.ndarray`: `value` is the array, or the list of objects in it."""

  value: np.ndarray | list

  def __setstate__(self, state: tuple) -> None:
    _, shape, dtype, is_fortran, content = state
    kind = dtype.resolve()
    if len(shape) > _MAX_RANK or not all(isinstance(side, int) and side >= 0 for side in shape):
      raise ValueError(f'an array has the shape {shape!r}')
    size = math.prod(shape)
    if kind.hasobject:
      if not isinstance(content, list) or len(content) != size:
        raise ValueError('an array of objects is incomplete')
      self.value = content
      return
    if not isinstance(content, bytes) or len(content) != size * kind.itemsize:
      raise ValueError(f'an array of shape {list(shape)} is incomplete')
    flat = np.frombuffer(content, kind)
    self.value = flat.reshape(shape, order='F' if is_fortran else 'C')


def _reconstruct(subtype: Any, shape: Any, kind: Any) -> _Array:
  return _Array()


def _scalar(dtype: _DType, content: bytes) -> _Array:
  array = _Array()
  array.__setstate__((1, (), dtype, False, content))
  return array


def _encode(text: str, encoding: str) -> bytes:
  """Stands for `codecs.encode`, by which Python 3 writes bytes in the pickles of Python 2."""
  if encoding != 'latin1':
    raise _Refused(f'bytes in the encoding {encoding!r}')
  return text.encode('latin1')


_STAND_INS: dict[tuple[str, str], Any] = {
  ('numpy', 'ndarray'): _Array,
  ('numpy', 'dtype'): _DType,
  ('_codecs', 'encode'): _encode,
  **{
    (f'numpy.{core}.multiarray', name): stand_in
    for core in ('core', '_core')
    for name, stand_in in (('_reconstruct', _reconstruct), ('scalar', _scalar))
  },
}


class _CountedReads:
  """Ends pickles of very many opcodes, which would take hours."""

  def __init__(self, content: mmap.mmap) -> None:
    self._content = content
    self._left = _MAX_READS

  def read(self, size: int) -> bytes:
    self._count()
    return self._content.read(size)

  def readline(self) -> bytes:
    self._count()
    return self._content.readline()

  def _count(self) -> None:
    self._left -= 1
    if self._left < 0:
      raise _Refused(f'more than {_MAX_READS} parts')


class _ArrayUnpickler(pickle._Unpickler):
  """Python's own unpickler with stand-ins for all names.

  Not the one in C, which reserves whatever size the file declares. Frames only say how to read
  ahead, and are ignored so that every opcode is counted. Bytes of Python 2 stay bytes.
  """

  dispatch = {
    opcode: load
    for opcode, load in pickle._Unpickler.dispatch.items()
    if opcode not in b''.join((pickle.BYTEARRAY8, pickle.NEXT_BUFFER, pickle.READONLY_BUFFER))
  }

  def __init__(self, file: _CountedReads) -> None:
    super().__init__(file, encoding='bytes')

  def find_class(self, module: str, name: str) -> Any:
    stand_in = _STAND_INS.get((module, name))
    if stand_in is None:
      raise _Refused(f'the name {module}.{name}')
    return stand_in

  def _ignore_frame(self) -> None:
    self.read(8)  # type: ignore[attr-defined]  # set by `load`

  dispatch[pickle.FRAME[0]] = _ignore_frame  # type: ignore[assignment]  # typed for the base class


def _text(value: Any) -> str:
  return value.decode('latin1') if isinstance(value, bytes) else str(value)
