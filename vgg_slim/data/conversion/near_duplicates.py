"""Groups of images of a converted data set that look alike, by a perceptual hash. No TensorFlow.

The hash is that of the optional package ImageHash: 64 bits of the lowest frequencies, which survive
another format, size or quality. Crops, rotations and mirror images have other hashes.
"""

import importlib.util
import io
import itertools
import pathlib
from collections.abc import Iterable

import numpy as np
from PIL import Image

from vgg_slim.data import example_proto, record_framing
from vgg_slim.data.conversion import workers
from vgg_slim.data.conversion.audit_files import ImageLocation
from vgg_slim.data.manifest import Manifest
from vgg_slim.errors import ConfigError

MAX_DISTANCE = 3  # bits; below the number of bands, so that two near hashes share a band
_BANDS = 4
_DECODED_SIDE = 64  # pixels; JPEG files are decoded at a scale that leaves at least this


def check_installed() -> None:
  """Raises ConfigError unless ImageHash is installed."""
  if importlib.util.find_spec('imagehash') is None:
    raise ConfigError(
      'near_duplicates needs the package ImageHash, which is not installed: pip install ImageHash'
    )


def find_groups(
  folder: pathlib.Path, manifest: Manifest, num_workers: int = 1
) -> list[list[ImageLocation]]:
  """Groups the images of all splits whose hashes differ by at most MAX_DISTANCE bits, in chains.

  Args:
    folder: folder of the shards.
    manifest: description of the data set.
    num_workers: number of decoding processes.
  """
  shards = [(name, shard.file) for name, split in manifest.splits.items() for shard in split.shards]
  images: list[ImageLocation] = []
  hashes: list[np.ndarray] = []
  paths = (folder / file for _, file in shards)
  with workers.map_in_order(_hash_shard, paths, num_workers) as results:
    for (split, _), (names, labels, of_shard) in zip(shards, results, strict=True):
      class_names = (manifest.class_names[label] for label in labels)
      images += map(ImageLocation, itertools.repeat(split), names, class_names)
      hashes.append(of_shard)
  return [[images[i] for i in group] for group in group_hashes(np.concatenate(hashes))]


def group_hashes(hashes: np.ndarray) -> list[list[int]]:
  """Groups indices of hashes, uint64 [N], that are connected by small distances."""
  # Imported here because it takes a third of a second, which every worker process would spend.
  from scipy.sparse import coo_array, csgraph

  unique, inverse = np.unique(hashes, return_inverse=True)
  pairs = [pair for band in range(_BANDS) for pair in _near_in_band(unique, band)]
  rows, columns = np.array(pairs, np.int64).reshape(-1, 2).T
  graph = coo_array((np.ones(len(rows), bool), (rows, columns)), [len(unique)] * 2)
  _, component = csgraph.connected_components(graph, directed=False)
  members: dict[int, list[int]] = {}
  for index, number in enumerate(component[inverse].tolist()):
    members.setdefault(number, []).append(index)
  return [group for group in members.values() if len(group) > 1]


def _near_in_band(unique: np.ndarray, band: int) -> Iterable[tuple[int, int]]:
  """Yields pairs of near hashes that have the same 16 bits in a band."""
  keys = unique >> np.uint64(16 * band) & np.uint64(0xFFFF)
  order = np.argsort(keys, kind='stable')
  starts = np.flatnonzero(np.diff(keys[order], prepend=np.uint64(1 << 16)))
  for run in np.split(order, starts[1:]):
    for i, first in enumerate(run[:-1]):
      others = run[i + 1 :]
      near = np.bitwise_count(unique[others] ^ unique[first]) <= MAX_DISTANCE
      yield from ((int(first), int(other)) for other in others[near])


def _hash_shard(path: pathlib.Path) -> tuple[list[str], list[int], np.ndarray]:
  """Returns names, labels and hashes, uint64 [N], of the images of a shard."""
  names, labels, hashes = [], [], []
  for _, record in record_framing.iterate_records(path):
    example = example_proto.decode_example(record)
    names.append(example['image/filename'][0].decode('utf-8', 'surrogateescape'))
    labels.append(int(example['image/class/label'][0]))
    hashes.append(_hash(example['image/encoded'][0]))
  return names, labels, np.array(hashes, np.uint64)


def _hash(encoded: bytes) -> int:
  import imagehash  # optional

  with Image.open(io.BytesIO(encoded)) as image:
    image.draft('L', (_DECODED_SIDE, _DECODED_SIDE))
    return int(str(imagehash.phash(image)), 16)
