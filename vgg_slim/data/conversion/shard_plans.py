"""Assigns images to shards, and the images of a shard to tasks. No TensorFlow."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from vgg_slim.data import shards
from vgg_slim.data.conversion import preparation
from vgg_slim.data.conversion.splitting import SplitPlan
from vgg_slim.data.sources.labeled_images import Source
from vgg_slim.errors import ConfigError

_SHARD_BYTES = 128 * 2**20
# Training splits of at least this many images get enough shards to be read in parallel.
_LARGE_TRAIN_SPLIT = 1000
_LARGE_TRAIN_SHARDS = 4
_SAMPLED_FOR_SIZE = 64  # images that are prepared to estimate the size of a split
_TASK_BYTES = 2 * 2**20  # size of the examples of one task; a few tasks per worker are in memory
_TASK_IMAGES = 512
# Splits of at least _SAMPLED_SPLIT images are counted by a sample of about _COUNTED_BY_PIXEL
# images; see `pixel_moments`.
_SAMPLED_SPLIT = 2000
_COUNTED_BY_PIXEL = 250
_ON_SHEET = 240  # images of the training split, the same number for every class
_ON_SHEET_PER_CLASS = 12


class ShardPlan(NamedTuple):
  """A shard to write.

  Attributes:
    file: file name of the shard.
    split: name of the split.
    plan: images of the shard.
    first: index in the split of the first image of the shard.
    on_sheet: indices in the shard of images that the contact sheet shows.
    task_size: number of images per task.
    sample_every: interval, in images of the split, at which images are counted by all of their
      pixels.
  """

  file: str
  split: str
  plan: SplitPlan
  first: int
  on_sheet: frozenset[int]
  task_size: int
  sample_every: int


def plan_shards(
  source: Source,
  splits: dict[str, SplitPlan],
  num_shards: int | None = None,
  storage: preparation.Storage = preparation.UNCHANGED,
) -> list[ShardPlan]:
  """Divides every split into shards; prepares a few images to estimate the size of a split.

  Args:
    source: data set to convert.
    splits: plans from `splitting.plan_splits`.
    num_shards: number of shards of the training split; other splits get shards in proportion to
      their number of images. None means about 128 MB per shard.
    storage: how the images are stored.

  Returns:
    The shards, split by split. Shards of a split differ by at most one image.

  Raises:
    ConfigError: `num_shards` is not in [1, number of training images].
  """
  example_bytes = {n: _estimate_bytes(source, plan, storage) for n, plan in splits.items()}
  counts = _shard_counts(splits, example_bytes, num_shards)
  on_sheet = _on_sheet(splits['train'], source.num_classes)
  planned = []
  for split, plan in splits.items():
    task_size = min(_TASK_IMAGES, max(1, int(_TASK_BYTES / max(1, example_bytes[split]))))
    for index in range(counts[split]):
      # Both ends are rounded down, so counts differ by at most one and add up to the split's.
      first, end = (len(plan.order) * i // counts[split] for i in (index, index + 1))
      planned.append(
        ShardPlan(
          file=shards.shard_name(split, index, counts[split]),
          split=split,
          plan=SplitPlan(plan.images, plan.order[first:end]),
          first=first,
          on_sheet=frozenset(i - first for i in on_sheet) if split == 'train' else frozenset(),
          task_size=task_size,
          sample_every=_sample_every(len(plan.order)),
        )
      )
  return planned


def join_shards(planned: Sequence[ShardPlan]) -> dict[str, SplitPlan]:
  """Returns the plan of each split from its shards."""
  splits = dict.fromkeys(shard.split for shard in planned)
  return {
    split: SplitPlan(
      next(shard.plan.images for shard in planned if shard.split == split),
      np.concatenate([shard.plan.order for shard in planned if shard.split == split]),
    )
    for split in splits
  }


def make_tasks(
  source: Source, shard: ShardPlan, storage: preparation.Storage = preparation.UNCHANGED
) -> Iterator[preparation.Task]:
  """Yields the tasks of a shard in order; `storage` is as for `plan_shards`."""
  size = len(shard.plan.order)
  for start in range(0, size, shard.task_size):
    yield make_task(source, shard, range(start, min(start + shard.task_size, size)), storage)


def make_task(
  source: Source,
  shard: ShardPlan,
  indices: Sequence[int],
  storage: preparation.Storage = preparation.UNCHANGED,
) -> preparation.Task:
  """Returns the task of some images of a shard, by their indices in it."""
  images, order = shard.plan
  sampled = [n for n, i in enumerate(indices) if (shard.first + i) % shard.sample_every == 0]
  return preparation.Task(
    images=[images[order[i]] for i in indices],
    class_names=source.class_names,
    storage=storage,
    count_pixels=shard.split == 'train',
    sampled=sampled if shard.sample_every > 1 else None,
    on_sheet=[n for n, i in enumerate(indices) if i in shard.on_sheet],
  )


def _estimate_bytes(source: Source, plan: SplitPlan, storage: preparation.Storage) -> float:
  """Returns the mean size of an example in bytes, from images evenly spread over the split."""
  sample = plan.order[:: math.ceil(len(plan.order) / _SAMPLED_FOR_SIZE)]
  images = [plan.images[i] for i in sample]
  task = preparation.Task(images, source.class_names, storage, count_pixels=False)
  return sum(map(len, preparation.prepare(task).frames)) / len(images)


def _shard_counts(
  splits: dict[str, SplitPlan], example_bytes: dict[str, float], num_shards: int | None
) -> dict[str, int]:
  sizes = {name: len(plan.order) for name, plan in splits.items()}
  num_train = sizes['train']
  if num_shards is None:
    counts = {n: math.ceil(size * example_bytes[n] / _SHARD_BYTES) for n, size in sizes.items()}
    if num_train >= _LARGE_TRAIN_SPLIT:
      counts['train'] = max(counts['train'], _LARGE_TRAIN_SHARDS)
    return {name: min(max(1, count), sizes[name]) for name, count in counts.items()}
  if not 1 <= num_shards <= num_train:
    raise ConfigError(
      f'num_shards must be in [1, {num_train}], the number of training images, got {num_shards}.'
    )
  return {name: min(size, math.ceil(num_shards * size / num_train)) for name, size in sizes.items()}


def _on_sheet(plan: SplitPlan, num_classes: int) -> set[int]:
  """Returns the indices in the split of the first images of every class."""
  per_class = max(1, min(_ON_SHEET_PER_CLASS, _ON_SHEET // num_classes))
  labels = plan.labels()
  order = np.argsort(labels, kind='stable')
  starts = np.searchsorted(labels[order], np.arange(min(num_classes, _ON_SHEET)))
  ends = np.searchsorted(labels[order], np.arange(min(num_classes, _ON_SHEET)), side='right')
  return {
    int(index)
    for start, end in zip(starts, ends, strict=True)
    for index in order[start : min(end, start + per_class)]
  }


def _sample_every(num_images: int) -> int:
  return num_images // _COUNTED_BY_PIXEL if num_images >= _SAMPLED_SPLIT else 1
