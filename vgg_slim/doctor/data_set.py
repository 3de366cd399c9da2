"""A converted data set: manifest, records, labels, and pixels against what the network is fed."""

import itertools
from collections.abc import Iterator

import numpy as np

from vgg_slim.configs.config import PreprocessingConfig
from vgg_slim.data import manifest as manifests
from vgg_slim.data import records
from vgg_slim.data.conversion import pixel_moments
from vgg_slim.data.manifest import Manifest
from vgg_slim.doctor.findings import FAIL, OK, WARN, Finding, failure, found
from vgg_slim.errors import DataError
from vgg_slim.preprocessing import host

_PICTURES = 64  # decoded
_RECORDS = 1000  # looked at in each shard, unless all are
_SHARDS = 8  # that the pictures come from
_STANDARD_ERRORS = 5.0
_ROUNDING = 1.0  # of 255
_CONVERT = 'Convert the data set again with tools/convert_to_tfrecord.'


def examine_all(
  data_dir: str, manifest: Manifest, preprocessing: PreprocessingConfig, thorough: bool
) -> Iterator[Finding]:
  """Everything here.

  Args:
    data_dir: of the data set.
    manifest: as read from it.
    preprocessing: of the run.
    thorough: whether every byte and every label are read.
  """
  yield examine_classes(manifest)
  if thorough:
    yield examine_checksums(data_dir, manifest)
  yield examine_labels(data_dir, manifest, manifest.num_classes, None if thorough else _RECORDS)
  yield from examine_pixels(data_dir, manifest, preprocessing)


def examine_classes(manifest: Manifest) -> Finding:
  """Whether there is something to learn of every class, and a split to validate on."""
  counts = manifest.split('train').examples_per_class
  splits = ', '.join(f'{name} {split.num_examples}' for name, split in manifest.splits.items())
  text = f'{manifest.dataset}, {manifest.num_classes} classes; pictures: {splits}'
  empty = [name for name, count in zip(manifest.class_names, counts, strict=True) if not count]
  if empty:
    remedy = f'Add some, or leave the class out. {_CONVERT}'
    more = ', ...' if len(empty) > 3 else ''
    text = f'no training picture of {len(empty)} classes: {", ".join(empty[:3])}{more}'
    return Finding(WARN, 'data set', text, remedy)
  if 'validation' not in manifest.splits:
    remedy = 'Convert with --validation_fraction=0.1 to see how training goes.'
    return Finding(WARN, 'data set', f'{text}; no validation split', remedy)
  return Finding(OK, 'data set', text)


def examine_checksums(data_dir: str, manifest: Manifest) -> Finding:
  """Reads every byte of every shard."""

  def read() -> str:
    manifests.check_checksums(data_dir, manifest)
    return f'{sum(len(split.shards) for split in manifest.splits.values())} shards as written'

  return found('checksums', read, _CONVERT)


def examine_labels(
  data_dir: str, manifest: Manifest, num_classes: int, limit: int | None = None
) -> Finding:
  """Whether the labels of all splits are 0 .. num_classes - 1; see `records.check_records`."""

  def read() -> str:
    for split in manifest.splits:
      records.check_records(manifests.shard_paths(data_dir, manifest, split), num_classes, limit)
    looked_at = 'all' if limit is None else f'at most {limit} of each shard'
    return f'0 to {num_classes - 1}, {looked_at} read'

  return found('labels', read, _CONVERT)


def examine_pixels(
  data_dir: str, manifest: Manifest, preprocessing: PreprocessingConfig, count: int = _PICTURES
) -> Iterator[Finding]:
  """Decodes pictures of the training split: are they those of the manifest, and well fed?

  Args:
    data_dir: of the data set.
    manifest: its `rgb_mean` is compared, within what so few pictures can say.
    preprocessing: the network is fed (RGB - rgb_mean) * pixel_scale.
    count: pictures at most.
  """
  try:
    means, statistics = _sample(data_dir, manifest, count)
  except DataError as error:
    yield failure('pixels', error, _CONVERT)
    return
  off = np.abs(np.subtract(statistics.mean, manifest.rgb_mean))
  allowed = _STANDARD_ERRORS * np.std(means, axis=0) / np.sqrt(len(means)) + _ROUNDING
  text = f'mean of {len(means)} pictures {_rgb(statistics.mean)}, of all {_rgb(manifest.rgb_mean)}'
  if (off > allowed).any():
    yield Finding(WARN, 'pixels', text, f'The manifest may be of other pictures. {_CONVERT}')
  else:
    yield Finding(OK, 'pixels', text)
  fed = np.subtract(statistics.mean, preprocessing.rgb_mean)
  std = np.array(statistics.std)
  scale = preprocessing.pixel_scale
  text = f'mean {_rgb(fed * scale)}, deviation {_rgb(std * scale)}'
  if not std.any():
    yield Finding(FAIL, 'network input', 'every pixel has the same value.', _CONVERT)
  elif (np.abs(fed) > np.maximum(std, allowed)).any():
    remedy = "The mean that is subtracted is another data set's; right only with its weights."
    yield Finding(WARN, 'network input', text, remedy)
  else:
    yield Finding(OK, 'network input', text)


def _sample(
  data_dir: str, manifest: Manifest, count: int
) -> tuple[np.ndarray, pixel_moments.RgbStatistics]:
  """Mean of each picture, [N, 3], and statistics of all their pixels."""
  paths = manifests.shard_paths(data_dir, manifest, 'train')[:_SHARDS]
  moments, means = np.zeros(pixel_moments.SHAPE, np.int64), []
  for path in paths:
    for name, encoded in itertools.islice(records.read_examples([path]), -(-count // len(paths))):
      counter = pixel_moments.MomentCounter()
      try:
        counter.add(host.read_image(encoded).image)
      except DataError as error:
        raise DataError(f'{path}: {name}: {error}') from error
      moments += counter.moments
      num_pixels, *sums = counter.moments[0, 0]
      means.append(np.array(sums) / num_pixels)
  if not means:
    raise DataError(f'{data_dir} has no training picture.')
  return np.array(means), pixel_moments.statistics_of(moments)


def _rgb(values: np.ndarray | tuple[float, ...]) -> str:
  return ' '.join(f'{value:.3g}' for value in values)
