"""`tf.contrib.data.Dataset`, whose `map` takes `num_threads` and `output_buffer_size`."""

import functools
from collections.abc import Callable
from typing import Any

from tensorflow.python.data.ops import dataset_ops

from vgg_slim.compat import tf

Iterator = tf.data.Iterator


class Dataset(dataset_ops.DatasetV1Adapter):
  """A dataset whose transformations return datasets of this class."""

  def map(
    self,
    map_func: Callable,
    num_threads: int | None = None,
    output_buffer_size: int | None = None,
    num_parallel_calls: int | None = None,
    **options: object,
  ) -> 'Dataset':
    """Applies `map_func` in `num_threads` threads, and prefetches `output_buffer_size` elements."""
    calls = num_parallel_calls or num_threads
    mapped = dataset_ops.DatasetV1Adapter.map(self, map_func, num_parallel_calls=calls, **options)
    return Dataset(mapped.prefetch(output_buffer_size) if output_buffer_size else mapped)

  def apply(self, transformation_func: Callable) -> 'Dataset':
    """Applies a function of datasets."""
    return Dataset(transformation_func(self))

  def unbatch(self) -> 'Dataset':
    """Splits elements along their first dimension."""
    return Dataset(dataset_ops.DatasetV1Adapter.unbatch(self))


def _returning_old(name: str) -> Any:
  method = getattr(dataset_ops.DatasetV1Adapter, name)

  @functools.wraps(method)
  def call(*args: object, **options: object) -> Dataset:
    return Dataset(method(*args, **options))

  return call


for _name in ('batch', 'cache', 'concatenate', 'filter', 'flat_map', 'interleave', 'padded_batch'):
  setattr(Dataset, _name, _returning_old(_name))
for _name in ('prefetch', 'repeat', 'shard', 'shuffle', 'skip', 'take'):
  setattr(Dataset, _name, _returning_old(_name))
for _name in ('from_generator', 'from_tensor_slices', 'from_tensors', 'list_files', 'range', 'zip'):
  setattr(Dataset, _name, staticmethod(_returning_old(_name)))
