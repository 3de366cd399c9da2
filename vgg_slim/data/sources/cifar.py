"""CIFAR-10 and CIFAR-100 as their authors publish them, binary or pickled. No TensorFlow.

Loading a pickle can run arbitrary code. The pickles of the Python version are therefore read by an
Unpickler that admits five names, each bound to a stand-in in this module, and refuses all others.
"""

import io
import pathlib
import pickle
import tarfile
import zlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from vgg_slim.data.sources import inflation
from vgg_slim.errors import DataError, reason
from vgg_slim.wording import counted

_SIDE = 32
_IMAGE_BYTES = 3 * _SIDE * _SIDE


class _Version(NamedTuple):
  """The files of one version of a data set, and where its labels are.

  Attributes:
    folder: name of the folder in the archive.
    archive: file name of the archive.
    splits: names of the batch files by split, {'train': ..., 'test': ...}.
    meta: name of the file with the class names.
    names_key: key of the class names in `meta`; None for the binary version, where `meta` is text.
    labels_key: key of the labels in a batch; for the binary version the index of the label among
      the `label_bytes` bytes before each image.
    label_bytes: number of label bytes before each image of the binary version.
  """

  folder: str
  archive: str
  splits: dict[str, tuple[str, ...]]
  meta: str
  names_key: str | None
  labels_key: str | int
  label_bytes: int = 1

  def names(self) -> tuple[str, ...]:
    return (self.meta, *(name for batches in self.splits.values() for name in batches))


def _batches(suffix: str) -> dict[str, tuple[str, ...]]:
  train = tuple(f'data_batch_{i}{suffix}' for i in range(1, 6))
  return {'train': train, 'test': (f'test_batch{suffix}',)}


def _cifar100(kind: str, label_index: int) -> tuple[_Version, _Version]:
  """Returns both versions of CIFAR-100 with its 20 'coarse' or its 100 'fine' classes."""
  binary = _Version(
    'cifar-100-binary',
    'cifar-100-binary.tar.gz',
    {'train': ('train.bin',), 'test': ('test.bin',)},
    f'{kind}_label_names.txt',
    names_key=None,
    labels_key=label_index,
    label_bytes=2,
  )
  python = _Version(
    'cifar-100-python',
    'cifar-100-python.tar.gz',
    {'train': ('train',), 'test': ('test',)},
    'meta',
    names_key=f'{kind}_label_names',
    labels_key=f'{kind}_labels',
  )
  return binary, python


# The binary version comes first, so it is preferred where both are there.
_VERSIONS = {
  'cifar10': (
    _Version(
      'cifar-10-batches-bin',
      'cifar-10-binary.tar.gz',
      _batches('.bin'),
      'batches.meta.txt',
      names_key=None,
      labels_key=0,
    ),
    _Version(
      'cifar-10-batches-py',
      'cifar-10-python.tar.gz',
      _batches(''),
      'batches.meta',
      names_key='label_names',
      labels_key='labels',
    ),
  ),
  'cifar100': _cifar100('fine', 1),
  'cifar100_coarse': _cifar100('coarse', 0),
}

Arrays = dict[str, tuple[np.ndarray, np.ndarray]]


def read_cifar(dataset: str, path: pathlib.Path) -> tuple[tuple[str, ...], Arrays]:
  """Reads CIFAR-10 or CIFAR-100.

  Args:
    dataset: 'cifar10', 'cifar100' (100 fine classes) or 'cifar100_coarse' (20 coarse classes).
    path: an archive, the folder of the extracted files, or a folder that holds either; extracted
      files are preferred to archives, and then the binary version to the Python version.

  Returns:
    Class names and {'train': (images, labels), 'test': ...}: images uint8 [N, 32, 32, 3], RGB,
    0..255; labels uint8 [N].

  Raises:
    DataError: there are no CIFAR files, some are missing (all are named), or one is damaged.
    OSError: a file cannot be read.
  """
  version, contents = _read_files(_VERSIONS[dataset], path)
  missing = [name for name in version.names() if name not in contents]
  if missing:
    raise DataError(f'{path} lacks the CIFAR files {", ".join(missing)}.')
  parse_meta, parse_batch = (
    (_binary_meta, _binary_batch) if version.names_key is None else (_python_meta, _python_batch)
  )

  def parse(parser: Callable[[bytes, _Version], Any], name: str) -> Any:
    try:
      return parser(contents[name], version)
    except DataError as error:
      raise DataError(f'{path}, {name}: {error}') from error

  class_names = parse(parse_meta, version.meta)
  arrays = {}
  for split, names in version.splits.items():
    batches = [parse(parse_batch, name) for name in names]
    planes = np.concatenate([images for images, _ in batches])
    images = planes.reshape(-1, 3, _SIDE, _SIDE).transpose(0, 2, 3, 1)
    arrays[split] = (images, np.concatenate([labels for _, labels in batches]))
  return class_names, arrays


def _read_files(
  versions: Sequence[_Version], path: pathlib.Path
) -> tuple[_Version, dict[str, bytes]]:
  """Finds the version and reads all of its files that exist."""
  if path.is_file():
    contents = _read_archive(path, versions)
    for version in versions:
      if any(name in contents for name in version.names()):
        return version, contents
    raise DataError(f'{path} contains no CIFAR files.')
  for version in versions:
    for folder in (path, path / version.folder):
      contents = {n: (folder / n).read_bytes() for n in version.names() if (folder / n).is_file()}
      if contents:
        return version, contents
  for version in versions:
    if (path / version.archive).is_file():
      return version, _read_archive(path / version.archive, versions)
  wanted = [name for version in versions for name in (version.archive, version.folder)]
  raise DataError(f'{path} contains no CIFAR data; expected one of {", ".join(wanted)}.')


def _read_archive(path: pathlib.Path, versions: Sequence[_Version]) -> dict[str, bytes]:
  wanted = {name for version in versions for name in version.names()}
  contents = {}
  try:
    with tarfile.open(path, 'r:*') as archive:
      for member in archive:
        name = pathlib.PurePosixPath(member.name).name
        if member.isfile() and name in wanted:
          stream = archive.extractfile(member)
          contents[name] = inflation.read(stream, path.stat().st_size) if stream else b''
  except DataError as error:
    raise DataError(f'{path}, {name}: {error}') from error
  except (tarfile.TarError, OSError, EOFError, zlib.error, ValueError, OverflowError) as error:
    raise DataError(f'{path} cannot be read: {reason(error)}') from error
  return contents


def _binary_meta(data: bytes, _: _Version) -> tuple[str, ...]:
  return tuple(line for line in data.decode('utf-8', errors='replace').splitlines() if line)


def _binary_batch(data: bytes, version: _Version) -> tuple[np.ndarray, np.ndarray]:
  """Splits records of label bytes and 3 planes: images, uint8 [N, 3072], and labels, uint8 [N]."""
  size = version.label_bytes + _IMAGE_BYTES
  if len(data) % size:
    raise DataError(f'{counted(len(data), "byte")} are not a whole number of {size}-byte records.')
  records = np.frombuffer(data, np.uint8).reshape(-1, size)
  return records[:, version.label_bytes :], records[:, int(version.labels_key)]


def _python_meta(data: bytes, version: _Version) -> tuple[str, ...]:
  names = load_pickle(data).get(version.names_key)
  if not isinstance(names, list) or not all(isinstance(name, (bytes, str)) for name in names):
    raise DataError(f'{version.meta} has no list of names under {version.names_key}.')
  return tuple(_text(name) for name in names)


def _python_batch(data: bytes, version: _Version) -> tuple[np.ndarray, np.ndarray]:
  """Reads a pickled batch: images, uint8 [N, 3072], and labels, uint8 [N]."""
  values = load_pickle(data)
  images, labels = values.get('data'), values.get(version.labels_key)
  if not isinstance(images, np.ndarray) or images.ndim != 2 or images.shape[1] != _IMAGE_BYTES:
    raise DataError(f'data is not a uint8 array of shape [N, {_IMAGE_BYTES}].')
  if not isinstance(labels, list) or not all(type(n) is int and 0 <= n < 256 for n in labels):
    raise DataError(f'{version.labels_key} is not a list of integers in [0, 256).')
  if len(images) != len(labels):
    raise DataError(f'{counted(len(images), "image")}, but {counted(len(labels), "label")}.')
  return images, np.array(labels, np.uint8)


def load_pickle(data: bytes) -> dict[Any, Any]:
  """Reads a pickled dict of uint8 arrays, lists, strings and numbers; runs no other code.

  Returns:
    The dict, with its keys as str.

  Raises:
    DataError: the pickle is damaged, asks for any other object, or does not hold a dict.
  """
  try:
    values = _SafeUnpickler(io.BytesIO(data), encoding='bytes').load()
  except DataError:
    raise
  # The Unpickler raises errors of many types for a damaged pickle.
  except Exception as error:
    raise DataError(f'damaged pickle: {error} ({type(error).__name__})') from error
  if not isinstance(values, dict):
    raise DataError(f'the pickle holds a {type(values).__name__}, expected a dict.')
  return {
    _text(key): value.values if isinstance(value, _Array) else value
    for key, value in values.items()
  }


def _text(value: Any) -> str:
  return value.decode('utf-8', errors='replace') if isinstance(value, bytes) else str(value)


class _Dtype:
  """Stand-in for numpy.dtype('uint8'), the only type that CIFAR needs."""

  def __init__(self, code: bytes | str, *_: Any):
    if _text(code) not in ('u1', '|u1', 'uint8'):
      raise DataError(f'the pickle holds an array of type {_text(code)!r}; only uint8 is allowed.')

  def __setstate__(self, state: Any) -> None:
    """Ignores the state: uint8 has no byte order, no fields and no subtype."""


class _Array:
  """Stand-in for numpy.ndarray while a pickle is read; `values` is the uint8 array."""

  values: np.ndarray | None = None

  def __setstate__(self, state: Any) -> None:
    _, shape, dtype, is_fortran, data = state
    if not isinstance(dtype, _Dtype) or not isinstance(data, bytes):
      raise DataError('the pickle holds an array that is not uint8.')
    values = np.frombuffer(data, np.uint8)
    self.values = values.reshape(shape, order='F' if is_fortran else 'C')


def _reconstruct(*_: Any) -> _Array:
  return _Array()


def _encode(text: str, encoding: str) -> bytes:
  """Stand-in for _codecs.encode, by which Python 3 writes bytes into a pickle of protocol 2."""
  if encoding != 'latin1':
    raise DataError(f'the pickle asks for the encoding {encoding!r}.')
  return text.encode('latin1')


class _SafeUnpickler(pickle._Unpickler):
  """Unpickler that never imports a module: every name it admits is a stand-in from this file.

  Python's own, not the one in C, which reserves whatever size the file declares.
  """

  dispatch = {
    opcode: load
    for opcode, load in pickle._Unpickler.dispatch.items()
    if opcode not in b''.join((pickle.BYTEARRAY8, pickle.NEXT_BUFFER, pickle.READONLY_BUFFER))
  }

  _ADMITTED = {
    ('numpy.core.multiarray', '_reconstruct'): _reconstruct,
    ('numpy._core.multiarray', '_reconstruct'): _reconstruct,
    ('numpy', 'ndarray'): _Array,
    ('numpy', 'dtype'): _Dtype,
    ('_codecs', 'encode'): _encode,
  }

  def find_class(self, module: str, name: str) -> Any:
    if (module, name) not in self._ADMITTED:
      raise DataError(f'the pickle asks for {module}.{name}, which CIFAR files do not need.')
    return self._ADMITTED[module, name]
