"""Writes TFRecord shards. No TensorFlow."""

import hashlib
import pathlib
from collections.abc import Iterable

from vgg_slim import files
from vgg_slim.data import manifest


def shard_name(split: str, index: int, num_shards: int) -> str:
  """Returns a file name such as 'train-00007-of-00128.tfrecord'; `index` counts from 0."""
  return f'{split}-{index:05d}-of-{num_shards:05d}.tfrecord'


def write_shard(path: pathlib.Path, frames: Iterable[bytes]) -> manifest.Shard:
  """Writes framed records (see `record_framing.frame`) in order to one file, or leaves no file.

  Args:
    path: path of the file; its folder must exist.
    frames: frames of the records, consumed one at a time.

  Raises:
    OSError: the file cannot be written.
  """
  num_examples = num_bytes = 0
  digest = hashlib.sha256()
  with files.open_atomic(path) as stream:
    for frame in frames:
      stream.write(frame)
      digest.update(frame)
      num_examples += 1
      num_bytes += len(frame)
  return manifest.Shard(path.name, num_examples, num_bytes, digest.hexdigest())
