"""Moves images between the written splits, so that equal images are in the same split.

No TensorFlow.
"""

import bisect
import copy
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from vgg_slim.data import manifest, record_framing, shards
from vgg_slim.data.conversion import audit, preparation, shard_plans
from vgg_slim.data.conversion.content_digest import DIGEST_BYTES
from vgg_slim.data.conversion.shard_plans import ShardPlan
from vgg_slim.data.conversion.splitting import SplitPlan, labels_of
from vgg_slim.data.sources.labeled_images import Source


class Written(NamedTuple):
  """A shard that has been written, and the audit of its images."""

  shard: manifest.Shard
  audit: audit.Audit


def plan_moves(
  digests: bytes, is_validation: np.ndarray, indices: np.ndarray, labels: np.ndarray
) -> dict[int, str]:
  """Chooses the images to move: a group of equal images follows the first of them.

  A group stays in the training split if a class would have no training images otherwise.

  Args:
    digests: DIGEST_BYTES per image; zeros stand for an image that was left out.
    is_validation: whether each image was drawn for the validation split, bool [N].
    indices: index of each image in the source, int64 [N].
    labels: label of each image, int64 [N].

  Returns:
    The new split, 'train' or 'validation', of each image to move, by its index in the source.
  """
  is_used = np.frombuffer(digests, f'V{DIGEST_BYTES}').view(np.uint64).reshape(-1, 2).any(1)
  num_train = np.bincount(labels[is_used & ~is_validation], minlength=labels.max() + 1)
  moves: dict[int, str] = {}
  for group in audit.group_duplicates(digests):
    of_group = np.array(group)
    in_validation = is_validation[of_group]
    if in_validation.all() or not in_validation.any():
      continue
    first = of_group[np.argmin(indices[of_group])]
    leaving = np.bincount(labels[of_group[~in_validation]], minlength=len(num_train))
    empties_a_class = ((leaving > 0) & (num_train <= leaving)).any()
    to_validation = bool(is_validation[first]) and not empties_a_class
    moved = of_group[in_validation != to_validation]
    change = np.bincount(labels[moved], minlength=len(num_train))
    num_train += -change if to_validation else change
    split = 'validation' if to_validation else 'train'
    moves.update((int(index), split) for index in indices[moved])
  return moves


def keep_together(
  folder: pathlib.Path,
  source: Source,
  planned: Sequence[ShardPlan],
  written: Mapping[str, Written],
  storage: preparation.Storage,
) -> tuple[list[ShardPlan], dict[str, Written]]:
  """Rewrites the shards that `plan_moves` changes; only the moved images are decoded again.

  Args:
    folder: folder of the shards.
    source: data set whose validation split was drawn from its training split.
    planned: all shards of the data set.
    written: the shards as they were written, by file.
    storage: how the images are stored.

  Returns:
    The shards and what is written, after the moves. The entries of the journal do not change, so
    that an interrupted call starts again from the shards that were planned.
  """
  drawn = [shard for shard in planned if shard.split != 'test']
  indices = np.concatenate([shard.plan.order for shard in drawn])
  digests = b''.join(bytes(written[shard.file].audit.digests) for shard in drawn)
  is_validation = np.repeat(
    [shard.split == 'validation' for shard in drawn], [len(shard.plan.order) for shard in drawn]
  )
  labels = labels_of(source.splits['train'])[indices]
  moves = plan_moves(digests, is_validation, indices, labels)
  if not moves:
    return list(planned), dict(written)
  digest_of = {
    index: digest
    for index, digest in zip(indices.tolist(), _split_digests(digests), strict=True)
    if index in moves
  }
  arriving = _assign(drawn, moves)
  result, rewritten = [], dict(written)
  for shard in planned:
    arrivals = arriving.get(shard.file, [])
    is_drawn = shard.split != 'test'
    if arrivals or (is_drawn and any(index in moves for index in shard.plan.order.tolist())):
      shard, rewritten[shard.file] = _rewrite(
        folder,
        source,
        shard,
        written[shard.file].audit,
        moves,
        {index: digest_of[index] for index in arrivals},
        storage,
      )
    result.append(shard)
  return result, rewritten


def _assign(drawn: Sequence[ShardPlan], moves: Mapping[int, str]) -> dict[str, list[int]]:
  """Returns the images that each shard receives: in order in validation, evenly in train."""
  arriving: dict[str, list[int]] = {}
  by_split: dict[str, list[ShardPlan]] = {'train': [], 'validation': []}
  for shard in drawn:
    by_split[shard.split].append(shard)
  starts = [int(shard.plan.order[0]) for shard in by_split['validation']]
  sizes = [
    sum(int(index) not in moves for index in shard.plan.order) for shard in by_split['train']
  ]
  for index, split in sorted(moves.items()):
    if split == 'validation':
      number = max(0, bisect.bisect(starts, index) - 1)
    else:
      number = int(np.argmin(sizes))
      sizes[number] += 1
    arriving.setdefault(by_split[split][number].file, []).append(index)
  return arriving


def _rewrite(
  folder: pathlib.Path,
  source: Source,
  shard: ShardPlan,
  old: audit.Audit,
  moves: Mapping[int, str],
  arriving: dict[int, bytes],
  storage: preparation.Storage,
) -> tuple[ShardPlan, Written]:
  """Writes a shard without the images that leave it and with those that arrive.

  Args:
    folder: folder of the shards.
    source: data set.
    shard: the shard as it is.
    old: its audit.
    moves: see `plan_moves`.
    arriving: digest of each image that arrives.
    storage: see `keep_together`.
  """
  images, old_order = shard.plan
  leaving = [i for i, index in enumerate(old_order.tolist()) if index in moves]
  order = np.concatenate([np.delete(old_order, leaving), np.array([*arriving], np.int64)])
  if shard.split == 'validation':
    order.sort()
  total = copy.deepcopy(old)
  for i in leaving:
    total.remove(preparation.prepare(shard_plans.make_task(source, shard, [i], storage)).audit)
  frames = {}
  plan = shard._replace(plan=SplitPlan(images, order), on_sheet=frozenset())
  for index in arriving:
    # An image that arrives is counted like most others of its split: no pixels are sampled.
    alone = plan._replace(plan=SplitPlan(images, np.array([index])), first=1)
    prepared = preparation.prepare(shard_plans.make_task(source, alone, [0], storage))
    total.merge(prepared.audit)
    frames[index] = prepared.frames
  digest_of = dict(zip(old_order.tolist(), _split_digests(old.digests), strict=True)) | arriving
  total.digests = bytearray(b''.join(digest_of[index] for index in order.tolist()))
  path = folder / shard.file
  records = (record_framing.frame(record) for _, record in record_framing.iterate_records(path))
  # Images that were left out have no record.
  frame_of = zip((i for i in old_order.tolist() if any(digest_of[i])), records, strict=True)
  staying = (frame for index, frame in frame_of if index not in moves)

  def new_frames() -> Iterator[bytes]:
    for index in order.tolist():  # those that stay are in the same order as before
      if index in frames:
        yield from frames[index]
      elif any(digest_of[index]):
        yield next(staying)

  return plan, Written(shards.write_shard(path, new_frames()), total)


def _split_digests(digests: bytes | bytearray) -> list[bytes]:
  return [bytes(digests[i : i + DIGEST_BYTES]) for i in range(0, len(digests), DIGEST_BYTES)]
