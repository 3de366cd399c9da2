"""Orders of training images in which all classes that have images come equally often.

An epoch still has as many images as the split. Each of K classes makes up a K-th of it: images of
small classes come several times, and of large classes only some come, others in the next epochs.
"""

from collections.abc import Sequence

import numpy as np

from vgg_slim.compat import tf
from vgg_slim.data import records

_FOREVER = 2**62
_SEEDS = 2**62  # number of seeds that are drawn from


def balanced_rows(
  labels: tf.Tensor, counts: Sequence[int], seed: int, first: int
) -> tf.data.Dataset:
  """Returns rows of a split in memory, int64 [], from the run's `first` image on.

  Each K images in turn have every class once, in an order drawn from (seed, their number). Each
  class has its own passes over its images, in orders drawn from (seed, class, pass).

  Args:
    labels: label of each row, int [N].
    counts: number of rows of each class.
    seed: random seed of the run.
    first: index of the first image.
  """
  present = np.flatnonzero(counts)
  num_rows = tf.constant(np.asarray(counts, np.int64)[present])
  starts = tf.cumsum(num_rows, exclusive=True)
  by_class = tf.argsort(labels, stable=True)
  num_classes = len(present)
  first_block = first // num_classes  # each class has come as many times before it

  def rows_of_class(index: tf.Tensor) -> tf.data.Dataset:
    count, start = num_rows[index], starts[index]
    own = tf.cast(by_class[start : start + count], tf.int64)
    own_seed = _draw([seed, index], _SEEDS)

    def one_pass(number: tf.Tensor) -> tf.data.Dataset:
      shuffled = tf.random.experimental.stateless_shuffle(own, [own_seed, number])
      return tf.data.Dataset.from_tensor_slices(shuffled)

    passes = tf.data.Dataset.range(first_block // count, _FOREVER)
    return passes.flat_map(one_pass).skip(first_block % count)

  def shuffle_block(number: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    return tf.random.experimental.stateless_shuffle(rows, [seed, number])

  classes = tf.data.Dataset.range(num_classes)
  rows = classes.interleave(rows_of_class, num_classes, block_length=1)
  blocks = rows.batch(num_classes, drop_remainder=True).enumerate(first_block)
  return blocks.map(shuffle_block).unbatch().skip(first % num_classes)


def balanced_copies(
  epoch_records: tf.data.Dataset, counts: Sequence[int], seed: int, epoch: tf.Tensor
) -> tf.data.Dataset:
  """Returns as many records as one epoch of a split has, repeating some and leaving others out.

  The copies of a record follow each other. All images of a class come equally often in the long
  run: which of them come once more in an epoch is drawn from (seed, epoch, class).

  Args:
    epoch_records: serialized Examples of the split, string [], in the order of the epoch.
    counts: number of records of each class.
    seed: random seed of the run.
    epoch: index of the epoch, int64 [].
  """
  totals = np.asarray(counts, np.int64)
  present = np.flatnonzero(totals)
  whole, rest = divmod(int(totals.sum()), len(present))
  # The classes take turns at the images that are left over.
  turns = (tf.range(len(present), dtype=tf.int64) - epoch * rest) % len(present)
  wanted = tf.scatter_nd(
    present[:, np.newaxis], whole + tf.cast(turns < rest, tf.int64), [len(totals)]
  )
  offsets = _draw([seed, epoch], np.maximum(totals, 1), [len(totals)])

  def count_copies(seen: tf.Tensor, record: tf.Tensor) -> tuple:
    label = records.parse_example(record).label
    number, total, target = seen[label], tf.constant(totals)[label], wanted[label]
    before, after = (n * target + offsets[label] for n in (number, number + 1))
    copies = after // total - before // total
    return tf.tensor_scatter_nd_add(seen, [[label]], [1]), (record, copies)

  def repeat(record: tf.Tensor, copies: tf.Tensor) -> tf.data.Dataset:
    return tf.data.Dataset.from_tensors(record).repeat(copies)  # shares the memory of the record

  counted = epoch_records.scan(tf.zeros([len(totals)], tf.int64), count_copies)
  return counted.flat_map(repeat)


def _draw(seed: Sequence, limit: int | np.ndarray, shape: Sequence[int] = ()) -> tf.Tensor:
  """Integers in 0 .. limit - 1, int64."""
  if isinstance(limit, int):
    return tf.random.stateless_uniform(shape, seed, 0, limit, tf.int64)
  fractions = tf.random.stateless_uniform(shape, seed, dtype=tf.float64)
  return tf.cast(fractions * limit, tf.int64)
