"""IDX files, the format of MNIST and related data sets, gzipped or not. No TensorFlow.

An IDX file consists of two zero bytes, a type byte, the number of dimensions, the dimensions as
big-endian uint32, and the values in row-major order.
"""

import gzip
import math
import pathlib
import struct
import zlib

import numpy as np

from vgg_slim.data.sources import inflation
from vgg_slim.errors import DataError
from vgg_slim.wording import counted

# Folder of Debian's package dataset-fashion-mnist.
FASHION_MNIST_DIR = '/usr/share/datasets/fashion-mnist'
FASHION_MNIST_CLASSES = (
  'T-shirt/top',
  'Trouser',
  'Pullover',
  'Dress',
  'Coat',
  'Sandal',
  'Shirt',
  'Sneaker',
  'Bag',
  'Ankle boot',
)

_PREFIXES = {'train': 'train', 'test': 't10k'}
_IMAGES_SUFFIX = '-images-idx3-ubyte'
_LABELS_SUFFIX = '-labels-idx1-ubyte'
_UINT8 = 0x08


def read_fashion_mnist(folder: pathlib.Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
  """Reads the four files; a plain file is preferred to its `.gz`.

  Returns:
    {'train': (images, labels), 'test': ...}: images uint8 [N, H, W], 0..255; labels uint8 [N].

  Raises:
    DataError: files are missing (all are named) or damaged, or the numbers of images and labels
      differ.
  """
  return _read_pairs(folder, _PREFIXES, "Debian's package dataset-fashion-mnist has them.")


def _read_pairs(
  folder: pathlib.Path, prefixes: dict[str, str], hint: str = ''
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
  paths = {
    split: (_find(folder, prefix + _IMAGES_SUFFIX), _find(folder, prefix + _LABELS_SUFFIX))
    for split, prefix in prefixes.items()
  }
  missing = [str(path) for pair in paths.values() for path in pair if not path.is_file()]
  if missing:
    raise DataError(
      f'IDX files are missing: {", ".join(missing)} (each with or without .gz). {hint}'.rstrip()
    )
  arrays = {}
  for split, (images_path, labels_path) in paths.items():
    images, labels = read_idx(images_path, ndim=3), read_idx(labels_path, ndim=1)
    if len(images) != len(labels):
      raise DataError(
        f'{images_path} has {counted(len(images), "image")}, '
        f'{labels_path} has {counted(len(labels), "label")}.'
      )
    arrays[split] = (images, labels)
  return arrays


def read_idx_folder(folder: pathlib.Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
  """Reads pairs of files with MNIST's names after any prefix, as EMNIST has them.

  Returns:
    {'train': (images, labels), ...}; a pair with `t10k` or `test` in its name is the test split.

  Raises:
    DataError: there are no such files, two pairs for one split, or see `read_fashion_mnist`.
  """
  prefixes: dict[str, str] = {}
  for path in sorted(folder.iterdir()):
    name = path.name.removesuffix('.gz')
    if not name.endswith(_IMAGES_SUFFIX):
      continue
    prefix = name.removesuffix(_IMAGES_SUFFIX)
    split = 'test' if prefix.endswith(('t10k', 'test')) else 'train'
    if prefixes.setdefault(split, prefix) != prefix:
      raise DataError(f'{folder} has two {split} splits: {prefixes[split]} and {prefix}.')
  if 'train' not in prefixes:
    raise DataError(f'{folder} has no training images, a file *{_IMAGES_SUFFIX} (or .gz).')
  return _read_pairs(folder, {split: prefixes[split] for split in _PREFIXES if split in prefixes})


def read_idx(path: pathlib.Path, ndim: int) -> np.ndarray:
  """Reads an IDX file of `ndim` dimensions as a read-only uint8 array.

  Raises:
    DataError: the file cannot be read, has another type or number of dimensions, or does not have
      the size that its header gives.
  """
  data = _read_bytes(path)
  magic = bytes((0, 0, _UINT8, ndim))
  header = len(magic) + 4 * ndim
  if data[:4] != magic or len(data) < header:
    raise DataError(
      f'{path} is not a {ndim}-dimensional uint8 IDX file: it starts with {data[:4].hex(" ")!r}, '
      f'expected {magic.hex(" ")!r}.'
    )
  shape = struct.unpack(f'>{ndim}I', data[4:header])
  expected = header + math.prod(shape)
  if len(data) != expected:
    raise DataError(
      f'{path} has {counted(len(data), "byte")}, expected {expected} for shape {shape}.'
    )
  return np.frombuffer(data, np.uint8, offset=header).reshape(shape)


def _find(folder: pathlib.Path, name: str) -> pathlib.Path:
  zipped = folder / f'{name}.gz'
  plain = folder / name
  return zipped if zipped.is_file() and not plain.is_file() else plain


def _read_bytes(path: pathlib.Path) -> bytes:
  try:
    if path.suffix != '.gz':
      return path.read_bytes()
    with gzip.open(path) as stream:
      return inflation.read(stream, path.stat().st_size)
  except DataError as error:
    raise DataError(f'{path}: {error}') from error
  except (OSError, EOFError, zlib.error) as error:
    raise DataError(f'{path} cannot be read: {error}') from error
