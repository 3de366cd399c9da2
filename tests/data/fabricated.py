"""Builds small data sets byte by byte in the formats in which they are published."""

import functools
import gzip
import io
import struct

import numpy as np
from PIL import Image

from vgg_slim.data.sources.labeled_images import LabeledImage, Source
from vgg_slim.preprocessing import png_files

CIFAR_NAMES = ('plane', 'car', 'bird')


def pixels(seed, height=5, width=7, channels=3):
  """uint8 [height, width, channels], or [height, width] for one channel."""
  shape = (height, width) if channels == 1 else (height, width, channels)
  return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def moments_by_loops(array):
  """Sum of the outer products of (1, R, G, B) over uint8 [H, W, 3], as lists of integers."""
  total = [[0] * 4 for _ in range(4)]
  for pixel in array.reshape(-1, 3).tolist():
    row = [1, *pixel]
    for i in range(4):
      for j in range(4):
        total[i][j] += row[i] * row[j]
  return total


def encoded(array, image_format='PNG', **options):
  stream = io.BytesIO()
  Image.fromarray(array).save(stream, image_format, **options)
  return stream.getvalue()


def source(counts, **other_splits):
  """Returns a source of distinct 3x4 gray images; train has counts[i] images of class i."""

  def images(split, counts):
    labels = [label for label, count in enumerate(counts) for _ in range(count)]
    return [
      LabeledImage(f'{split}/{i:05d}', label, functools.partial(_gray_png, i, len(split)))
      for i, label in enumerate(labels)
    ]

  splits = {name: images(name, c) for name, c in {'train': counts, **other_splits}.items()}
  return Source('folder', tuple('abcdefgh'[: len(counts)]), splits, mirror_safe=True)


def _gray_png(*seed):
  return png_files.encode(pixels(seed, 3, 4, channels=1))


def write_image_folder(root, counts, image_format='PNG', extension='.png'):
  """Writes counts[class_name] images to each class folder; all images differ."""
  seed = 0
  for class_name, count in counts.items():
    (root / class_name).mkdir(parents=True)
    for i in range(count):
      (root / class_name / f'{i:03d}{extension}').write_bytes(encoded(pixels(seed), image_format))
      seed += 1
  return root


def idx_bytes(array):
  header = struct.pack('>HBB', 0, 8, array.ndim) + struct.pack(f'>{array.ndim}I', *array.shape)
  return header + array.tobytes()


def write_fashion_mnist(folder, num_train=6, num_test=3, zipped=True):
  """Returns {'train': (images, labels), 'test': ...} as written."""
  folder.mkdir(parents=True, exist_ok=True)
  rng = np.random.default_rng(0)
  arrays = {}
  for split, prefix, count in (('train', 'train', num_train), ('test', 't10k', num_test)):
    images = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
    labels = (np.arange(count) % 10).astype(np.uint8)
    for name, array in (('images-idx3', images), ('labels-idx1', labels)):
      data = idx_bytes(array)
      path = folder / f'{prefix}-{name}-ubyte'
      if zipped:
        path.with_name(path.name + '.gz').write_bytes(gzip.compress(data))
      else:
        path.write_bytes(data)
    arrays[split] = (images, labels)
  return arrays


def cifar_batch(seed, count=2):
  """Returns (uint8 [count, 3072] in planes, labels) of one batch."""
  rng = np.random.default_rng(seed)
  return rng.integers(0, 256, (count, 3072), dtype=np.uint8), [(seed + i) % 3 for i in range(count)]


CIFAR_BATCHES = {
  **{f'data_batch_{i}': cifar_batch(i) for i in range(1, 6)},
  'test_batch': cifar_batch(6),
}


def cifar_binary_files():
  files = {'batches.meta.txt': '\n'.join(CIFAR_NAMES).encode() + b'\n\n'}
  for name, (planes, labels) in CIFAR_BATCHES.items():
    records = (bytes([label]) + row.tobytes() for row, label in zip(planes, labels, strict=True))
    files[f'{name}.bin'] = b''.join(records)
  return files
