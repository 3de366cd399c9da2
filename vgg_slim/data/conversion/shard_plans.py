"""Which pictures go into which shard, and in tasks of how many they are prepared. No TensorFlow."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from vgg_slim.data import shards
from vgg_slim.data.conversion import preparation
from vgg_slim.data.conversion.splitting import SplitPlan
from vgg_slim.data.sources.labeled_images import Source
from vgg_slim.errors import ConfigError

_SHARD_BYTES = 128 * 2**20
# A train split of this many pictures has shards enough to be read in parallel.
_LARGE_TRAIN_SPLIT = 1000
_LARGE_TRAIN_SHARDS = 4
_SAMPLED_FOR_SIZE = 64  # pictures that are prepared to guess the bytes of a split
_TASK_BYTES = 2 * 2**20  # of examples in one task; a few tasks for each worker are in memory
_TASK_PICTURES = 512
# Training splits from here on are counted by a sample of so many pictures; see `pixel_moments`.
_SAMPLED_SPLIT = 2000
_COUNTED_BY_PIXEL = 250
_ON_SHEET = 240  # pictures of the train split, alike for every class
_ON_SHEET_PER_CLASS = 12


class ShardPlan(NamedTuple):
  """A file to write.

  Attributes:
    file: its name.
    split: that it is of.
    plan: its part of the split.
    first: place in the split of its first picture.
    on_sheet: places, from its own first, that the contact sheet wants.
    task_size: pictures in a task.
    sample_every: of so many pictures of the split, one is counted by all of its pixels.
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
  smaller_side: int | None = None,
) -> list[ShardPlan]:
  """Parts every split into shards; a few pictures are prepared, to guess how large all will be.

  Args:
    source: of the pictures.
    splits: of `splitting.plan_splits`.
    num_shards: of the train split; the others have as many in proportion to their pictures. None:
      about 128 MB a shard.
    smaller_side: to which larger pictures are reduced.

  Returns:
    The shards, split by split; those of a split differ by one picture at most.

  Raises:
    ConfigError: `num_shards` is not in [1, pictures of the train split].
  """
  example_bytes = {name: _guess_bytes(source, plan, smaller_side) for name, plan in splits.items()}
  counts = _shard_counts(splits, example_bytes, num_shards)
  shown = _on_sheet(splits['train'], source.num_classes)
  planned = []
  for split, plan in splits.items():
    task_size = min(_TASK_PICTURES, max(1, int(_TASK_BYTES / max(1, example_bytes[split]))))
    for index in range(counts[split]):
      # Both ends are rounded down: counts differ by one at most and add up to the split's.
      first, last = (len(plan.order) * i // counts[split] for i in (index, index + 1))
      planned.append(
        ShardPlan(
          file=shards.shard_name(split, index, counts[split]),
          split=split,
          plan=SplitPlan(plan.images, plan.order[first:last]),
          first=first,
          on_sheet=frozenset(p - first for p in shown) if split == 'train' else frozenset(),
          task_size=task_size,
          sample_every=_sample_every(len(plan.order)),
        )
      )
  return planned


def make_tasks(
  source: Source, shard: ShardPlan, smaller_side: int | None = None
) -> Iterator[preparation.Task]:
  """Yields what is to be prepared for a shard, in its order; arguments as `plan_shards`."""
  images, order = shard.plan
  for start in range(0, len(order), shard.task_size):
    places = range(start, min(start + shard.task_size, len(order)))
    sampled = [p - start for p in places if (shard.first + p) % shard.sample_every == 0]
    yield preparation.Task(
      images=[images[order[place]] for place in places],
      class_names=source.class_names,
      smaller_side=smaller_side,
      count_pixels=shard.split == 'train',
      sampled=sampled if shard.sample_every > 1 else None,
      on_sheet=[place - start for place in places if place in shard.on_sheet],
    )


def _guess_bytes(source: Source, plan: SplitPlan, smaller_side: int | None) -> float:
  """Bytes of an example, from pictures evenly spread over the split."""
  sample = plan.order[:: math.ceil(len(plan.order) / _SAMPLED_FOR_SIZE)]
  images = [plan.images[i] for i in sample]
  task = preparation.Task(images, source.class_names, smaller_side, count_pixels=False)
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
      f'num_shards must be in [1, {num_train}], the number of training pictures, got {num_shards}.'
    )
  return {name: min(size, math.ceil(num_shards * size / num_train)) for name, size in sizes.items()}


def _on_sheet(plan: SplitPlan, num_classes: int) -> set[int]:
  """Places of the first pictures of every class in the order of the split."""
  per_class = max(1, min(_ON_SHEET_PER_CLASS, _ON_SHEET // num_classes))
  labels = plan.labels()
  order = np.argsort(labels, kind='stable')
  starts = np.searchsorted(labels[order], np.arange(min(num_classes, _ON_SHEET)))
  ends = np.searchsorted(labels[order], np.arange(min(num_classes, _ON_SHEET)), side='right')
  return {
    int(place)
    for start, end in zip(starts, ends, strict=True)
    for place in order[start : min(end, start + per_class)]
  }


def _sample_every(num_images: int) -> int:
  return num_images // _COUNTED_BY_PIXEL if num_images >= _SAMPLED_SPLIT else 1
