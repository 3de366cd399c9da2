"""Fashion-MNIST's IDX files, gzipped or not. No TensorFlow.

An IDX file is two zero bytes, a type byte, the number of dimensions, the dimensions as big-endian
uint32 and then the values, the last dimension fastest.
"""

import gzip
import math
import pathlib
import struct
import zlib

import numpy as np

from vgg_slim.errors import DataError

# Where Debian's package dataset-fashion-mnist puts the files.
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
_UINT8 = 0x08


def read_fashion_mnist(folder: pathlib.Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
  """Reads the four files; a plain file is taken before its `.gz`.

  Returns:
    {'train': (images, labels), 'test': ...}: images uint8 [N, H, W], 0..255; labels uint8 [N].

  Raises:
    DataError: files missing (all are named), broken, or images and labels of unequal number.
  """
  paths = {
    split: (
      _find(folder, f'{prefix}-images-idx3-ubyte'),
      _find(folder, f'{prefix}-labels-idx1-ubyte'),
    )
    for split, prefix in _PREFIXES.items()
  }
  missing = [str(path) for pair in paths.values() for path in pair if not path.is_file()]
  if missing:
    raise DataError(
      f'Fashion-MNIST files are missing: {", ".join(missing)} (each with or without .gz). '
      "Debian's package dataset-fashion-mnist has them."
    )
  arrays = {}
  for split, (images_path, labels_path) in paths.items():
    images, labels = read_idx(images_path, ndim=3), read_idx(labels_path, ndim=1)
    if len(images) != len(labels):
      raise DataError(
        f'{images_path} has {len(images)} pictures, {labels_path} has {len(labels)} labels.'
      )
    arrays[split] = (images, labels)
  return arrays


def read_idx(path: pathlib.Path, ndim: int) -> np.ndarray:
  """Reads an IDX file of `ndim` dimensions as a read-only uint8 array.

  Raises:
    DataError: the file cannot be read, is of another type or number of dimensions, or has fewer
      or more bytes than its header says.
  """
  data = _read_bytes(path)
  magic = bytes((0, 0, _UINT8, ndim))
  header = len(magic) + 4 * ndim
  if data[:4] != magic or len(data) < header:
    raise DataError(
      f'{path} is no IDX file of {ndim} dimensions of uint8: it starts with {data[:4].hex(" ")!r}, '
      f'expected {magic.hex(" ")!r}.'
    )
  shape = struct.unpack(f'>{ndim}I', data[4:header])
  expected = header + math.prod(shape)
  if len(data) != expected:
    raise DataError(f'{path} has {len(data)} bytes, expected {expected} for shape {shape}.')
  return np.frombuffer(data, np.uint8, offset=header).reshape(shape)


def _find(folder: pathlib.Path, name: str) -> pathlib.Path:
  zipped = folder / f'{name}.gz'
  plain = folder / name
  return zipped if zipped.is_file() and not plain.is_file() else plain


def _read_bytes(path: pathlib.Path) -> bytes:
  try:
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == '.gz' else data
  except (OSError, EOFError, zlib.error) as error:
    raise DataError(f'{path} cannot be read: {error}') from error
