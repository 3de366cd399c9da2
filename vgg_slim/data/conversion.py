"""From a source of pictures to a folder of TFRecord shards with a manifest."""

import math
import pathlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from sklearn import model_selection

from vgg_slim import __version__, files
from vgg_slim.data import manifest, pictures, pixel_moments, records
from vgg_slim.data.sources import LabeledImage, Source
from vgg_slim.errors import ConfigError, DataError

DEFAULT_VALIDATION_FRACTION = 0.2

_SHARD_BYTES = 128 * 2**20
# A train split of this many pictures has shards enough to be read in parallel.
_LARGE_TRAIN_SPLIT = 1000
_LARGE_TRAIN_SHARDS = 4
_SAMPLED_FOR_SIZE = 64  # pictures that are read to guess the bytes of a split

Images = Sequence[LabeledImage]
ProgressFn = Callable[[int, int], None]


def convert(
  source: Source,
  output_dir: str | pathlib.Path,
  validation_fraction: float | None = None,
  seed: int = 0,
  num_shards: int | None = None,
  progress: ProgressFn | None = None,
) -> manifest.Manifest:
  """Writes shards, `labels.txt` and `manifest.json`; the same arguments give the same bytes.

  The train split is shuffled, so that every shard mixes classes; other splits keep the source's
  order. Every picture is decoded once, which checks it.

  Args:
    source: from `sources.open_source`.
    output_dir: does not exist; appears when all is written, and not at all after an error.
    validation_fraction: part of the source's train split that becomes the validation split, equal
      in every class up to rounding; 0 for none. None: DEFAULT_VALIDATION_FRACTION, or 0 where the
      source has its own validation split.
    seed: of the validation split and the shuffling, in [0, 2**31).
    num_shards: of the train split; the others have as many in proportion to their pictures. None:
      about 128 MB a shard.
    progress: called with (pictures done, pictures in all) after every picture.

  Raises:
    ConfigError: an argument out of range.
    DataError: `output_dir` exists or cannot be written, a split or class is empty or too small, or
      a picture cannot be read (named).
  """
  output = pathlib.Path(output_dir)
  fraction = _checked_fraction(source, validation_fraction)
  _check_range('seed', seed, 0, 2**31 - 1)
  splits = split_source(source, fraction, seed)
  shard_counts = _shard_counts(splits, num_shards)
  writer = _Writer(source.class_names, sum(map(len, splits.values())), progress)
  try:
    with files.staged_folder(output) as staging:
      written = {
        name: writer.write_split(staging, name, images, shard_counts[name])
        for name, images in splits.items()
      }
      result = _manifest(source, written, writer.statistics, seed, fraction)
      manifest.write_manifest(staging, result)
  except OSError as error:
    reason = 'exists already, give a folder to make' if output.exists() else error
    raise DataError(f'{output} cannot be written: {reason}.') from error
  return result


def split_source(source: Source, fraction: float, seed: int) -> dict[str, Images]:
  """Returns 'train', 'validation' if any, 'test' if any, in the order in which they are written.

  Raises:
    ConfigError: the fraction leaves a split with fewer pictures than there are classes.
    DataError: an empty split, or classes with too few training pictures; all are named.
  """
  for name, images in source.splits.items():
    if not images:
      raise DataError(f'Split {name!r} of {source.dataset} has no pictures.')
  train = source.splits['train']
  _check_class_counts(source, least=2 if fraction else 1)
  splits = dict(source.splits)
  if fraction:
    train, splits['validation'] = _stratified(train, fraction, seed, len(source.class_names))
  # RandomState's stream is frozen by NumPy's policy; default_rng's may change.
  order = np.random.RandomState(seed).permutation(len(train))
  splits['train'] = [train[i] for i in order]
  return {name: splits[name] for name in ('train', 'validation', 'test') if name in splits}


def _checked_fraction(source: Source, fraction: float | None) -> float:
  has_own = 'validation' in source.splits
  if fraction is None:
    return 0.0 if has_own else DEFAULT_VALIDATION_FRACTION
  if not 0 <= fraction < 1:
    raise ConfigError(f'validation_fraction must be in [0, 1), got {fraction!r}.')
  if fraction and has_own:
    raise ConfigError(
      f'validation_fraction must be 0 or left out, got {fraction!r}: '
      f'{source.dataset} has a validation split of its own.'
    )
  return float(fraction)


def _check_range(name: str, value: int, low: int, high: int) -> None:
  if not low <= value <= high:
    raise ConfigError(f'{name} must be in [{low}, {high}], got {value!r}.')


def _check_class_counts(source: Source, least: int) -> None:
  counts = _count_classes(source.splits['train'], len(source.class_names))
  few = [f'{n} ({c})' for n, c in zip(source.class_names, counts, strict=True) if c < least]
  if few:
    reason = ', one of them for validation' if least > 1 else ''
    raise DataError(
      f'Every class needs at least {least} training pictures{reason}; too few: {", ".join(few)}.'
    )


def _count_classes(images: Images, num_classes: int) -> tuple[int, ...]:
  counts = np.bincount([image.label for image in images], minlength=num_classes)
  return tuple(int(count) for count in counts)


def _stratified(
  images: Images, fraction: float, seed: int, num_classes: int
) -> tuple[Images, Images]:
  """Returns (train, validation), both in the order of `images`."""
  num_validation = math.ceil(fraction * len(images))
  if min(num_validation, len(images) - num_validation) < num_classes:
    raise ConfigError(
      f'validation_fraction={fraction} parts {len(images)} pictures into '
      f'{len(images) - num_validation} for training and {num_validation} for validation; each '
      f'needs at least one for each of {num_classes} classes.'
    )
  train, validation = model_selection.train_test_split(
    np.arange(len(images)),
    test_size=num_validation,
    stratify=[image.label for image in images],
    random_state=seed,
  )
  left = _count_classes([images[i] for i in train], num_classes)
  if min(left) == 0:
    raise ConfigError(
      f'validation_fraction={fraction} leaves {left.count(0)} classes without a training picture.'
    )
  return [images[i] for i in sorted(train)], [images[i] for i in sorted(validation)]


def _shard_counts(splits: dict[str, Images], num_shards: int | None) -> dict[str, int]:
  num_train = len(splits['train'])
  if num_shards is None:
    counts = {name: math.ceil(_guess_bytes(s) / _SHARD_BYTES) for name, s in splits.items()}
    if num_train >= _LARGE_TRAIN_SPLIT:
      counts['train'] = max(counts['train'], _LARGE_TRAIN_SHARDS)
    return {name: min(count, len(splits[name])) for name, count in counts.items()}
  if not 1 <= num_shards <= num_train:
    raise ConfigError(
      f'num_shards must be in [1, {num_train}], the number of training pictures, got {num_shards}.'
    )
  return {
    name: min(len(images), math.ceil(num_shards * len(images) / num_train))
    for name, images in splits.items()
  }


def _guess_bytes(images: Images) -> float:
  """Encoded bytes of a split, from pictures evenly spread over it."""
  sample = images[:: math.ceil(len(images) / _SAMPLED_FOR_SIZE)]
  return len(images) * sum(len(_read(image)) for image in sample) / len(sample)


def _read(image: LabeledImage) -> bytes:
  try:
    return image.read()
  except OSError as error:
    raise DataError(f'Picture {image.name} cannot be read: {error}') from error


class _Statistics:
  """Sizes of all pictures and exact pixel sums of the train split."""

  def __init__(self):
    self.sizes: set[tuple[int, int]] = set()
    self.moments = np.zeros((4, 4), np.int64)

  def add(self, picture: pictures.Picture, is_train: bool) -> None:
    self.sizes.add((picture.height, picture.width))
    if is_train:
      self.moments += picture.moments


class _Writer:
  """Writes splits one after the other and keeps count over all of them."""

  def __init__(self, class_names: tuple[str, ...], total: int, progress: ProgressFn | None):
    self.statistics = _Statistics()
    self._class_names = class_names
    self._total = total
    self._done = 0
    self._progress = progress

  def write_split(
    self, folder: pathlib.Path, name: str, images: Images, num_shards: int
  ) -> manifest.Split:
    examples = self._examples(images, is_train=name == 'train')
    shards = records.write_shards(folder, name, examples, len(images), num_shards)
    return manifest.Split(len(images), _count_classes(images, len(self._class_names)), shards)

  def _examples(self, images: Images, is_train: bool) -> Iterator[bytes]:
    for image in images:
      try:
        picture = pictures.read_picture(_read(image))
      except DataError as error:
        raise DataError(f'Picture {image.name}: {error}.') from error
      self.statistics.add(picture, is_train)
      yield records.encode_example(
        encoded=picture.encoded,
        image_format=picture.image_format,
        filename=image.name,
        label=image.label,
        class_name=self._class_names[image.label],
        height=picture.height,
        width=picture.width,
      )
      self._done += 1
      if self._progress:
        self._progress(self._done, self._total)


def _manifest(
  source: Source,
  splits: dict[str, manifest.Split],
  statistics: _Statistics,
  seed: int,
  fraction: float,
) -> manifest.Manifest:
  rgb = pixel_moments.statistics_of(statistics.moments)
  return manifest.Manifest(
    format_version=manifest.FORMAT_VERSION,
    vgg_slim_version=__version__,
    dataset=source.dataset,
    class_names=source.class_names,
    rgb_mean=rgb.mean,
    rgb_std=rgb.std,
    rgb_covariance=rgb.covariance,
    smallest_side=min(min(size) for size in statistics.sizes),
    largest_side=max(max(size) for size in statistics.sizes),
    same_size=len(statistics.sizes) == 1,
    mirror_safe=source.mirror_safe,
    seed=seed,
    validation_fraction=fraction,
    splits=splits,
  )
