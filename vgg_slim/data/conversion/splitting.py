"""Assigns the images of a source to the training and validation splits. No TensorFlow."""

import dataclasses
import hashlib
import math
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from vgg_slim.data.manifest import SPLITS
from vgg_slim.data.sources.labeled_images import LabeledImage, Source
from vgg_slim.errors import ConfigError, DataError
from vgg_slim.wording import counted, listed

DEFAULT_VALIDATION_FRACTION = 0.2

# Appended to errors about classes with too few images.
_NO_VALIDATION = ' --validation_fraction=0 makes no validation split.'
_WAY_OUT = ' --validation_per_class=1 takes one image of each class.' + _NO_VALIDATION

# Extensions of the files that Keras's functions list.
_KERAS_EXTENSIONS = {
  'keras': ('.bmp', '.gif', '.jpeg', '.jpg', '.png'),
  'keras_generator': ('.bmp', '.jpeg', '.jpg', '.png', '.ppm', '.tif', '.tiff'),
}
LIKE = tuple(_KERAS_EXTENSIONS)

Images = Sequence[LabeledImage]


@dataclasses.dataclass(frozen=True)
class SplitRule:
  """How the validation split is drawn from the source's training split.

  At most one of `fraction` and `per_class` may be given. With neither, the fraction is
  DEFAULT_VALIDATION_FRACTION, or 0 if the source has a validation split of its own.

  Attributes:
    fraction: fraction of the images, in [0, 1), the same in every class up to rounding; 0 for no
      validation split.
    by_hash: whether each image is drawn on its own, from a hash of seed and name. No image then
      changes splits when others are added, but the fractions of the classes vary by chance.
    per_class: number of images of every class.
    like: 'keras' for the split of Keras's image_dataset_from_directory with `fraction` and `seed`,
      or 'keras_generator' for that of its older ImageDataGenerator, see `_draw_like_keras`. None
      for the fraction in every class.
    duplicates_together: whether equal images go to the same split where the validation split is
      drawn, see `regrouping`. Each image is drawn on its own otherwise, and with `like`.
    seed: random seed of the draw and of the order of the training split, in [0, 2**31).
  """

  fraction: float | None = None
  by_hash: bool = False
  per_class: int | None = None
  seed: int = 0
  duplicates_together: bool = True
  like: str | None = None

  def __post_init__(self):
    problems = []
    if self.fraction is not None and not 0 <= self.fraction < 1:
      problems.append(f'validation_fraction must be in [0, 1), got {self.fraction!r}')
    if self.per_class is not None and self.per_class < 1:
      problems.append(f'validation_per_class must be at least 1, got {self.per_class!r}')
    if self.per_class is not None and (self.fraction is not None or self.by_hash):
      problems.append('validation_per_class excludes validation_fraction and split_by_hash')
    if self.like not in (None, *_KERAS_EXTENSIONS):
      problems.append(f'split_like must be one of {", ".join(_KERAS_EXTENSIONS)}')
    if self.like and (self.by_hash or self.per_class is not None):
      problems.append('split_like excludes split_by_hash and validation_per_class')
    if not 0 <= self.seed < 2**31:
      problems.append(f'seed must be in [0, {2**31 - 1}], got {self.seed!r}')
    if problems:
      raise ConfigError(f'{"; ".join(problems)}.')


class SplitPlan(NamedTuple):
  """The images of one split: `images[i]` for each i of `order`, int64 [N]."""

  images: Images
  order: np.ndarray

  def labels(self) -> np.ndarray:
    """Returns the labels in the order of the split, int64 [N]."""
    return labels_of(self.images)[self.order]


def labels_of(images: Images) -> np.ndarray:
  """Returns the labels of images, int64 [len(images)]."""
  return np.fromiter((image.label for image in images), np.int64, len(images))


def plan_splits(source: Source, rule: SplitRule) -> dict[str, SplitPlan]:
  """Plans 'train' and, if they exist, 'validation' and 'test', in the order of writing.

  The training split is shuffled so that every shard mixes classes; other splits keep the order of
  the source.

  Raises:
    ConfigError: the rule leaves a split or a class without images, or asks for a validation split
      although the source has its own.
    DataError: a split is empty, or classes have too few training images; all classes are named.
  """
  for name, images in source.splits.items():
    if not len(images):
      raise DataError(f'Split {name!r} of {source.dataset} has no images.')
  fraction = _effective_fraction(source, rule)
  is_drawn = _draws_validation(source, rule)
  labels = labels_of(source.splits['train'])
  _check_class_counts(source, labels, minimum=2 if is_drawn else 1)
  plans = {
    name: SplitPlan(images, np.arange(len(images))) for name, images in source.splits.items()
  }
  train = np.arange(len(labels))
  if rule.like and not is_drawn:
    raise ConfigError(f'split_like={rule.like} has no effect without a validation split to draw.')
  if is_drawn:
    is_validation = _draw(source.splits['train'], labels, fraction, rule)
    _check_remaining(labels, is_validation, rule)
    train = np.flatnonzero(~is_validation)
    plans['validation'] = SplitPlan(source.splits['train'], np.flatnonzero(is_validation))
  # RandomState's stream is frozen by NumPy's policy; default_rng's may change.
  order = np.random.RandomState(rule.seed).permutation(len(train))
  plans['train'] = SplitPlan(source.splits['train'], train[order])
  return {name: plans[name] for name in SPLITS if name in plans}


def keeps_duplicates_together(source: Source, rule: SplitRule) -> bool:
  """Returns whether equal images must be moved to the same split after the draw."""
  return rule.duplicates_together and rule.like is None and _draws_validation(source, rule)


def _draws_validation(source: Source, rule: SplitRule) -> bool:
  """Returns whether the validation split is drawn from the source's training split."""
  return bool(_effective_fraction(source, rule)) or rule.per_class is not None


def validation_fraction(source: Source, plans: dict[str, SplitPlan], rule: SplitRule) -> float:
  """Returns the fraction of the source's training split that became the validation split.

  It is the requested fraction; if a number per class was requested, the fraction that resulted.
  """
  if rule.per_class is None:
    return _effective_fraction(source, rule)
  num_validation = len(plans['validation'].order)
  return num_validation / (num_validation + len(plans['train'].order))


def _effective_fraction(source: Source, rule: SplitRule) -> float:
  has_own = 'validation' in source.splits
  if has_own and (rule.fraction or rule.per_class is not None):
    flag = 'validation_fraction' if rule.per_class is None else 'validation_per_class'
    raise ConfigError(
      f'{flag} must be 0 or left out, got {rule.fraction or rule.per_class!r}: '
      f'{source.dataset} has a validation split of its own.'
    )
  if rule.fraction is None:
    return 0.0 if has_own or rule.per_class is not None else DEFAULT_VALIDATION_FRACTION
  return float(rule.fraction)


def _draw(images: Images, labels: np.ndarray, fraction: float, rule: SplitRule) -> np.ndarray:
  """Returns bool [N], true for images of the validation split."""
  if rule.per_class is not None:
    return _draw_per_class(labels, rule.per_class, rule.seed)
  if rule.like is not None:
    return _draw_like_keras(images, labels, fraction, rule.like, rule.seed)
  if rule.by_hash:
    draws = (_uniform(rule.seed, image.name) for image in images)
    return np.fromiter((draw < fraction for draw in draws), bool, len(images))
  return _draw_stratified(labels, fraction, rule.seed)


def _draw_like_keras(
  images: Images, labels: np.ndarray, fraction: float, like: str, seed: int
) -> np.ndarray:
  """Draws the same validation images as Keras does.

  Keras lists files class by class, those of a folder before those of the folders in it.
  image_dataset_from_directory shuffles all of them and takes the last ones, whatever their class;
  ImageDataGenerator takes the first ones of every class. Files with other extensions, which Keras
  does not list, are for training.
  """
  paths = [pathlib.PurePosixPath(image.name) for image in images]
  listed = [i for i, path in enumerate(paths) if path.suffix.lower() in _KERAS_EXTENSIONS[like]]
  listed.sort(key=lambda i: (labels[i], str(paths[i].parent), paths[i].name))
  order = np.array(listed, np.int64)
  is_validation = np.zeros(len(labels), bool)
  if like == 'keras':
    np.random.RandomState(seed).shuffle(order)
    is_validation[order[len(order) - int(fraction * len(order)) :]] = True
  else:
    for label in np.unique(labels):
      of_class = order[labels[order] == label]
      is_validation[of_class[: int(fraction * len(of_class))]] = True
  return is_validation


def _draw_per_class(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
  random = np.random.RandomState(seed)
  is_validation = np.zeros(len(labels), bool)
  for label in range(labels.max() + 1):
    is_validation[random.permutation(np.flatnonzero(labels == label))[:count]] = True
  return is_validation


def _uniform(seed: int, name: str) -> float:
  """Returns a number in [0, 1) that depends on the arguments only."""
  digest = hashlib.sha256(f'{seed}/{name}'.encode('utf-8', 'surrogateescape')).digest()
  return int.from_bytes(digest[:6], 'big') / 2**48


def _draw_stratified(labels: np.ndarray, fraction: float, seed: int) -> np.ndarray:
  # Imported here because it takes a second or two, which every worker process would spend.
  from sklearn import model_selection

  num_classes = len(np.unique(labels))
  num_validation = math.ceil(fraction * len(labels))
  num_train = len(labels) - num_validation
  if min(num_validation, num_train) < num_classes:
    raise ConfigError(
      f'validation_fraction={fraction} divides {len(labels)} images into {num_train} for training '
      f'and {num_validation} for validation; each split needs at least one image of each of '
      f'{num_classes} classes.{_WAY_OUT}'
    )
  _, validation = model_selection.train_test_split(
    np.arange(len(labels)), test_size=num_validation, stratify=labels, random_state=seed
  )
  is_validation = np.zeros(len(labels), bool)
  is_validation[validation] = True
  return is_validation


def _check_class_counts(source: Source, labels: np.ndarray, minimum: int) -> None:
  counts = np.bincount(labels, minlength=source.num_classes)
  few = [
    f'{name} ({count})'
    for name, count in zip(source.class_names, counts, strict=True)
    if count < minimum and (count or not source.classes_given)
  ]
  if few:
    reason = ', one of them for validation' if minimum > 1 else ''
    raise DataError(
      f'Every class needs at least {counted(minimum, "training image")}{reason}; too few: '
      f'{listed(few)}.{_NO_VALIDATION if minimum > 1 else ""}'
    )


def _check_remaining(labels: np.ndarray, is_validation: np.ndarray, rule: SplitRule) -> None:
  empty = len(np.unique(labels)) - len(np.unique(labels[~is_validation]))
  setting = (
    f'validation_fraction={rule.fraction}'
    if rule.per_class is None
    else f'validation_per_class={rule.per_class}'
  )
  if empty:
    raise ConfigError(
      f'{setting} leaves {counted(empty, "class")} without training images.{_WAY_OUT}'
    )
  if not is_validation.any():
    raise ConfigError(f'{setting} leaves the validation split without images.{_WAY_OUT}')
