"""Reads TFRecord shards with TensorFlow."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from vgg_slim import op_errors
from vgg_slim.compat import tf
from vgg_slim.data import example_proto
from vgg_slim.errors import DataError
from vgg_slim.wording import counted


class ParsedExample(NamedTuple):
  """One image of a TFRecord file.

  Attributes:
    encoded: string [], JPEG or PNG bytes.
    label: int32 [], 0 .. num_classes - 1.
    filename: string [], UTF-8, name of the image in the source; '' if the record has none.
    size: int64 [2], height and width in pixels as recorded, so they are known without decoding.
  """

  encoded: tf.Tensor
  label: tf.Tensor
  filename: tf.Tensor
  size: tf.Tensor


def parse_example(serialized: tf.Tensor) -> ParsedExample:
  """Parses one serialized Example, string []; for `tf.data.Dataset.map`."""
  sides = (example_proto.HEIGHT, example_proto.WIDTH)
  features = tf.io.parse_single_example(
    serialized,
    {
      example_proto.ENCODED: tf.io.FixedLenFeature([], tf.string),
      example_proto.LABEL: tf.io.FixedLenFeature([], tf.int64),
      example_proto.FILENAME: tf.io.FixedLenFeature([], tf.string, default_value=''),
      **dict.fromkeys(sides, tf.io.FixedLenFeature([], tf.int64)),
    },
  )
  return ParsedExample(
    features[example_proto.ENCODED],
    tf.cast(features[example_proto.LABEL], tf.int32),
    features[example_proto.FILENAME],
    tf.stack([features[side] for side in sides]),
  )


def parse_labels(serialized: tf.Tensor) -> tf.Tensor:
  """Returns the labels, int64 [N], of serialized Examples, string [N]."""
  features = {example_proto.LABEL: tf.io.FixedLenFeature([], tf.int64)}
  return tf.io.parse_example(serialized, features)[example_proto.LABEL]


def read_examples(paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
  """Yields name and encoded bytes of every image in the order of the shards, without a graph.

  Raises:
    DataError: a record cannot be read.
  """
  for path in paths:
    try:
      for record in tf.io.tf_record_iterator(path):
        features = tf.train.Example.FromString(record).features.feature
        name = features[example_proto.FILENAME].bytes_list.value
        yield name[0].decode() if name else '', features[example_proto.ENCODED].bytes_list.value[0]
    except tf.errors.OpError as error:
      raise DataError(f'{path} cannot be read: {op_errors.reason(error)}.') from error


def check_records(
  paths: Iterable[str], num_classes: int | None = None, limit: int | None = None
) -> None:
  """Checks records and their labels without decoding images.

  Args:
    paths: paths of TFRecord files.
    num_classes: number of classes; labels must be in 0 .. num_classes - 1. With None they are not
      checked.
    limit: number of records to read from each file; None reads all.

  Raises:
    DataError: a record is damaged or its label is out of range; the message names file and record.
  """
  for path in paths:
    number = 0
    try:
      for serialized in islice(tf.io.tf_record_iterator(path), limit):
        if num_classes is not None:
          _check_label(serialized, num_classes, f'{path}: record {number} (from 0)')
        number += 1
    except tf.errors.DataLossError as error:
      raise DataError(
        f'{path}: record {number} (from 0) is damaged, its checksum is wrong. Convert the data set '
        'again.'
      ) from error


def _check_label(serialized: bytes, num_classes: int, where: str) -> None:
  example = tf.train.Example.FromString(serialized)
  labels = list(example.features.feature[example_proto.LABEL].int64_list.value)
  if len(labels) != 1 or not 0 <= labels[0] < num_classes:
    raise DataError(
      f'{where} has label {", ".join(map(str, labels)) or "none"}; '
      f'with {counted(num_classes, "class")}, 0 to {num_classes - 1} are allowed.'
    )
