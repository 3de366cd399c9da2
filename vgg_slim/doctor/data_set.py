"""Checks of a converted data set: manifest, records, labels, pixels and network input."""

import itertools
from collections.abc import Iterator

import numpy as np

from vgg_slim.configs.config import PreprocessingConfig
from vgg_slim.data import class_balance, records
from vgg_slim.data import manifest as manifests
from vgg_slim.data.conversion import audit_files, pixel_moments
from vgg_slim.data.manifest import Manifest
from vgg_slim.doctor.findings import FAIL, OK, WARN, Finding, failure, run_check
from vgg_slim.errors import DataError
from vgg_slim.preprocessing import host, image_area
from vgg_slim.wording import counted, printable

_NUM_IMAGES = 64  # images that are decoded
_NUM_RECORDS = 1000  # records that are read from each shard if the check is not thorough
_NUM_SHARDS = 8  # shards that the decoded images come from
_STANDARD_ERRORS = 5.0  # tolerance of means, in standard errors
_ROUNDING = 1.0  # additional tolerance of means, for pixels of 0..255
_CONVERT = (
  'Convert the data set again with tools/convert_to_tfrecord, into another folder or after '
  'removing this one.'
)


def examine_all(
  data_dir: str,
  manifest: Manifest,
  preprocessing: PreprocessingConfig,
  starts_from_weights: bool,
  thorough: bool,
  balances_classes: bool = False,
) -> Iterator[Finding]:
  """Runs all checks of this module.

  Args:
    data_dir: folder of the data set.
    manifest: manifest of the data set.
    preprocessing: preprocessing of the run.
    starts_from_weights: see `examine_pixels`.
    thorough: whether to read all bytes and labels instead of a sample.
    balances_classes: whether the run makes up for classes of different size.
  """
  yield examine_classes(manifest, balances_classes)
  yield from examine_duplicates(data_dir)
  if thorough:
    yield examine_checksums(data_dir, manifest)
  yield examine_labels(data_dir, manifest, manifest.num_classes, None if thorough else _NUM_RECORDS)
  yield from examine_pixels(data_dir, manifest, preprocessing, starts_from_weights)


def examine_classes(manifest: Manifest, balances_classes: bool = False) -> Finding:
  """Checks the numbers of images per class, and that there is a validation split."""
  splits = ', '.join(f'{name} {split.num_examples}' for name, split in manifest.splits.items())
  text = f'{manifest.dataset}, {counted(manifest.num_classes, "class")}; images: {splits}'
  if problems := class_balance.find_problems(manifest, balances_classes):
    remedy = f'Add images, or leave classes out. {_CONVERT}'
    return Finding(WARN, 'data set', '; '.join(problems), remedy)
  if 'validation' not in manifest.splits:
    remedy = 'Convert with --validation_fraction=0.1 to measure accuracy during training.'
    return Finding(WARN, 'data set', f'{text}; no validation split', remedy)
  return Finding(OK, 'data set', text)


def examine_duplicates(data_dir: str) -> Iterator[Finding]:
  """Warns of equal images in different classes or splits."""
  for problem in audit_files.find_duplicate_problems(data_dir):
    remedy = f'See {audit_files.DUPLICATES_FILE}; remove all but one. {_CONVERT}'
    yield Finding(WARN, 'duplicates', problem, remedy)


def examine_shapes(manifest: Manifest, test_scale: int) -> Iterator[Finding]:
  """Warns of an image that is too elongated to be scored as a whole at Q = `test_scale`."""
  if manifest.most_elongated is None:
    return
  name, height, width = manifest.most_elongated
  if problem := image_area.describe_too_long(printable(name), height, width, test_scale):
    remedy = f'Evaluate with --views=center, or leave such images out. {_CONVERT}'
    yield Finding(WARN, 'shapes', problem, remedy)


def examine_checksums(data_dir: str, manifest: Manifest) -> Finding:
  """Checks the checksums of all shards."""

  def check() -> str:
    manifests.check_checksums(data_dir, manifest)
    return f'{sum(len(split.shards) for split in manifest.splits.values())} shards are unchanged'

  return run_check('checksums', check, _CONVERT)


def examine_labels(
  data_dir: str, manifest: Manifest, num_classes: int, limit: int | None = None
) -> Finding:
  """Checks that the labels of all splits are in 0 .. num_classes - 1.

  Args:
    data_dir: folder of the data set.
    manifest: manifest of the data set.
    num_classes: number of classes.
    limit: maximum number of records to read per shard; None for all.
  """

  def check() -> str:
    for split in manifest.splits:
      records.check_records(manifests.shard_paths(data_dir, manifest, split), num_classes, limit)
    extent = 'all records' if limit is None else f'at most {limit} records of each shard'
    return f'0 to {num_classes - 1}, in {extent}'

  return run_check('labels', check, _CONVERT)


def examine_pixels(
  data_dir: str,
  manifest: Manifest,
  preprocessing: PreprocessingConfig,
  starts_from_weights: bool = False,
  count: int = _NUM_IMAGES,
) -> Iterator[Finding]:
  """Decodes training images, and checks their mean and that of the network input.

  Args:
    data_dir: folder of the data set.
    manifest: manifest of the data set; the mean of the sample must match its `rgb_mean`, up to the
      sampling error.
    preprocessing: preprocessing of the run; see `PreprocessingConfig`.
    starts_from_weights: whether the run starts from a checkpoint, which determines its mean.
    count: maximum number of images to decode.
  """
  try:
    means, statistics = _sample(data_dir, manifest, count)
  except DataError as error:
    yield failure('pixels', error, _CONVERT)
    return
  deviation = np.abs(np.subtract(statistics.mean, manifest.rgb_mean))
  allowed = _STANDARD_ERRORS * np.std(means, axis=0) / np.sqrt(len(means)) + _ROUNDING
  sampled = f'mean of {counted(len(means), "image")} {_rgb(statistics.mean)}'
  text = f'{sampled}, of all {_rgb(manifest.rgb_mean)}'
  if (deviation > allowed).any():
    yield Finding(
      WARN,
      'pixels',
      text,
      'If some images are much larger than others, this is no fault: all pixels count alike in the '
      f'mean. Otherwise the manifest may belong to other images. {_CONVERT}',
    )
  else:
    yield Finding(OK, 'pixels', text)
  if preprocessing.per_image_standardization:
    yield Finding(OK, 'network input', 'each image has mean 0, standard deviation 1')
    return
  input_mean = np.subtract(statistics.mean, preprocessing.rgb_mean)
  std = np.array(statistics.std)
  scale = preprocessing.pixel_scale
  text = f'mean {_rgb(input_mean * scale)}, standard deviation {_rgb(std * scale)}'
  if not std.any():
    yield Finding(FAIL, 'network input', 'every pixel has the same value.', _CONVERT)
  elif (
    any(preprocessing.rgb_mean)
    and not starts_from_weights
    and (np.abs(input_mean) > np.maximum(std, allowed)).any()
  ):
    remedy = (
      'The subtracted mean belongs to another data set; keep it only for weights trained with it.'
    )
    yield Finding(WARN, 'network input', text, remedy)
  else:
    yield Finding(OK, 'network input', text)


def _sample(
  data_dir: str, manifest: Manifest, count: int
) -> tuple[np.ndarray, pixel_moments.RgbStatistics]:
  """Mean of each sampled image, [N, 3], and statistics of the pixels of all of them."""
  paths = manifests.shard_paths(data_dir, manifest, 'train')[:_NUM_SHARDS]
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
    raise DataError(f'{data_dir} has no training images.')
  return np.array(means), pixel_moments.compute_statistics(moments)


def _rgb(values: np.ndarray | tuple[float, ...]) -> str:
  return ' '.join(f'{value:.3g}' for value in values)
