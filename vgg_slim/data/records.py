"""TFRecord shards: the only home of the feature keys, which are slim's."""

import pathlib
from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

from vgg_slim.compat import tf
from vgg_slim.data import manifest
from vgg_slim.errors import DataError

_ENCODED = 'image/encoded'
_FORMAT = 'image/format'
_FILENAME = 'image/filename'
_LABEL = 'image/class/label'
_TEXT = 'image/class/text'
_HEIGHT = 'image/height'
_WIDTH = 'image/width'


class ParsedExample(NamedTuple):
  """One picture of a TFRecord.

  Attributes:
    encoded: string [], JPEG or PNG bytes.
    label: int32 [], 0 .. num_classes - 1.
    filename: string [], UTF-8, the picture's name in the source; '' where the writer gave none.
  """

  encoded: tf.Tensor
  label: tf.Tensor
  filename: tf.Tensor


def encode_example(
  *,
  encoded: bytes,
  image_format: str,
  filename: str,
  label: int,
  class_name: str,
  height: int,
  width: int,
) -> bytes:
  """Returns a serialized tf.train.Example; equal arguments give equal bytes.

  Args:
    encoded: the picture's file, untouched.
    image_format: 'jpeg' or 'png'.
    filename: the picture's name in the source; bytes that are not UTF-8 become escapes.
    label: 0 .. num_classes - 1.
    class_name: text of the label.
    height: in pixels, as is `width`.
    width: see `height`.
  """
  features = {
    _ENCODED: _bytes_feature(encoded),
    _FORMAT: _bytes_feature(image_format.encode()),
    _FILENAME: _bytes_feature(filename.encode('utf-8', errors='backslashreplace')),
    _LABEL: _int_feature(label),
    _TEXT: _bytes_feature(class_name.encode()),
    _HEIGHT: _int_feature(height),
    _WIDTH: _int_feature(width),
  }
  example = tf.train.Example(features=tf.train.Features(feature=features))
  # A protobuf map has no order of its own: without this two runs may differ in their bytes.
  return example.SerializeToString(deterministic=True)


def parse_example(serialized: tf.Tensor) -> ParsedExample:
  """Takes one serialized Example, string [], apart; for `tf.data.Dataset.map`."""
  features = tf.io.parse_single_example(
    serialized,
    {
      _ENCODED: tf.io.FixedLenFeature([], tf.string),
      _LABEL: tf.io.FixedLenFeature([], tf.int64),
      _FILENAME: tf.io.FixedLenFeature([], tf.string, default_value=''),
    },
  )
  return ParsedExample(features[_ENCODED], tf.cast(features[_LABEL], tf.int32), features[_FILENAME])


def shard_name(split: str, index: int, num_shards: int) -> str:
  """File name such as 'train-00007-of-00128.tfrecord'; `index` counts from 0."""
  return f'{split}-{index:05d}-of-{num_shards:05d}.tfrecord'


def write_shards(
  folder: pathlib.Path, split: str, examples: Iterable[bytes], num_examples: int, num_shards: int
) -> tuple[manifest.Shard, ...]:
  """Writes serialized Examples in their order to `num_shards` files of nearly equal counts.

  Args:
    folder: exists; is given the files.
    split: first part of the file names.
    examples: yields exactly `num_examples`; is consumed one at a time.
    num_examples: at least `num_shards`.
    num_shards: at least 1.

  Raises:
    DataError: a file cannot be written, or `examples` yields another number.
  """
  left = iter(examples)
  shards = []
  for index in range(num_shards):
    # Both ends are rounded down: counts differ by one at most and add up to num_examples.
    first, last = (num_examples * i // num_shards for i in (index, index + 1))
    path = folder / shard_name(split, index, num_shards)
    written = _write_file(path, islice(left, last - first))
    if written != last - first:
      raise DataError(f'{path.name}: {written} examples came, expected {last - first}.')
    shards.append(manifest.Shard(path.name, written, path.stat().st_size, manifest.sha256_of(path)))
  if next(left, None) is not None:
    raise DataError(f'Split {split!r}: more than the {num_examples} examples expected.')
  return tuple(shards)


def _write_file(path: pathlib.Path, examples: Iterable[bytes]) -> int:
  written = 0
  try:
    with tf.io.TFRecordWriter(str(path)) as writer:
      for example in examples:
        writer.write(example)
        written += 1
  except tf.errors.OpError as error:
    raise DataError(f'{path} cannot be written: {error.message}') from error
  return written


def _bytes_feature(value: bytes) -> tf.train.Feature:
  return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def _int_feature(value: int) -> tf.train.Feature:
  return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
