"""Which pictures of a source train and which validate. No TensorFlow."""

import dataclasses
import hashlib
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from vgg_slim.data.sources.labeled_images import LabeledImage, Source
from vgg_slim.errors import ConfigError, DataError

DEFAULT_VALIDATION_FRACTION = 0.2

Images = Sequence[LabeledImage]


@dataclasses.dataclass(frozen=True)
class SplitRule:
  """How the validation split is taken out of the source's train split; at most one is given.

  With neither it is DEFAULT_VALIDATION_FRACTION, or nothing where the source has its own.

  Attributes:
    fraction: in [0, 1), equal in every class up to rounding; 0 for none.
    by_hash: `fraction` is drawn picture by picture from (seed, name), so that no picture changes
      sides when others are added; the classes' shares then vary by chance.
    per_class: so many pictures of every class.
    seed: of the draw and of the order of the train split, in [0, 2**31).
  """

  fraction: float | None = None
  by_hash: bool = False
  per_class: int | None = None
  seed: int = 0

  def __post_init__(self):
    problems = []
    if self.fraction is not None and not 0 <= self.fraction < 1:
      problems.append(f'validation_fraction must be in [0, 1), got {self.fraction!r}')
    if self.per_class is not None and self.per_class < 1:
      problems.append(f'validation_per_class must be at least 1, got {self.per_class!r}')
    if self.per_class is not None and (self.fraction is not None or self.by_hash):
      problems.append('validation_per_class excludes validation_fraction and split_by_hash')
    if not 0 <= self.seed < 2**31:
      problems.append(f'seed must be in [0, {2**31 - 1}], got {self.seed!r}')
    if problems:
      raise ConfigError(f'{"; ".join(problems)}.')


class SplitPlan(NamedTuple):
  """Pictures of one split: `images[i]` for each i of `order`, int64 [N]."""

  images: Images
  order: np.ndarray

  def labels(self) -> np.ndarray:
    """int64 [N], in the order of the split."""
    return labels_of(self.images)[self.order]


def labels_of(images: Images) -> np.ndarray:
  """int64 [len(images)]."""
  return np.fromiter((image.label for image in images), np.int64, len(images))


def plan_splits(source: Source, rule: SplitRule) -> dict[str, SplitPlan]:
  """Returns 'train', 'validation' if any, 'test' if any, in the order in which they are written.

  The train split is shuffled, so that every shard mixes classes; others keep the source's order.

  Raises:
    ConfigError: the rule leaves a split or a class without pictures, or the source has a
      validation split of its own.
    DataError: an empty split, or classes with too few training pictures; all are named.
  """
  for name, images in source.splits.items():
    if not len(images):
      raise DataError(f'Split {name!r} of {source.dataset} has no pictures.')
  fraction = _effective_fraction(source, rule)
  takes_some = bool(fraction) or rule.per_class is not None
  labels = labels_of(source.splits['train'])
  _check_class_counts(source, labels, least=2 if takes_some else 1)
  plans = {
    name: SplitPlan(images, np.arange(len(images))) for name, images in source.splits.items()
  }
  train = np.arange(len(labels))
  if takes_some:
    is_validation = _draw(source.splits['train'], labels, fraction, rule)
    _check_left(labels, is_validation, rule)
    train = np.flatnonzero(~is_validation)
    plans['validation'] = SplitPlan(source.splits['train'], np.flatnonzero(is_validation))
  # RandomState's stream is frozen by NumPy's policy; default_rng's may change.
  order = np.random.RandomState(rule.seed).permutation(len(train))
  plans['train'] = SplitPlan(source.splits['train'], train[order])
  return {name: plans[name] for name in ('train', 'validation', 'test') if name in plans}


def validation_fraction(source: Source, plans: dict[str, SplitPlan], rule: SplitRule) -> float:
  """The part of the source's train split that became the validation split, as asked for or, where
  no fraction was asked for, as it came out."""
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
  """bool [N], true for the pictures of the validation split."""
  if rule.per_class is not None:
    return _draw_per_class(labels, rule.per_class, rule.seed)
  if rule.by_hash:
    draws = (_uniform(rule.seed, image.name) for image in images)
    return np.fromiter((draw < fraction for draw in draws), bool, len(images))
  return _draw_stratified(labels, fraction, rule.seed)


def _draw_per_class(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
  random = np.random.RandomState(seed)
  is_validation = np.zeros(len(labels), bool)
  for label in range(labels.max() + 1):
    is_validation[random.permutation(np.flatnonzero(labels == label))[:count]] = True
  return is_validation


def _uniform(seed: int, name: str) -> float:
  """In [0, 1), the same for the same arguments everywhere."""
  digest = hashlib.sha256(f'{seed}/{name}'.encode('utf-8', 'surrogateescape')).digest()
  return int.from_bytes(digest[:6], 'big') / 2**48


def _draw_stratified(labels: np.ndarray, fraction: float, seed: int) -> np.ndarray:
  from sklearn import model_selection  # a second or two, which worker processes need not wait for

  num_classes = len(np.unique(labels))
  num_validation = math.ceil(fraction * len(labels))
  num_train = len(labels) - num_validation
  if min(num_validation, num_train) < num_classes:
    raise ConfigError(
      f'validation_fraction={fraction} parts {len(labels)} pictures into {num_train} for training '
      f'and {num_validation} for validation; each needs at least one for each of {num_classes} '
      'classes.'
    )
  _, validation = model_selection.train_test_split(
    np.arange(len(labels)), test_size=num_validation, stratify=labels, random_state=seed
  )
  is_validation = np.zeros(len(labels), bool)
  is_validation[validation] = True
  return is_validation


def _check_class_counts(source: Source, labels: np.ndarray, least: int) -> None:
  counts = np.bincount(labels, minlength=source.num_classes)
  few = [
    f'{name} ({count})'
    for name, count in zip(source.class_names, counts, strict=True)
    if count < least and (count or not source.classes_given)
  ]
  if few:
    reason = ', one of them for validation' if least > 1 else ''
    raise DataError(
      f'Every class needs at least {least} training pictures{reason}; too few: {", ".join(few)}.'
    )


def _check_left(labels: np.ndarray, is_validation: np.ndarray, rule: SplitRule) -> None:
  empty = len(np.unique(labels)) - len(np.unique(labels[~is_validation]))
  share = (
    f'validation_fraction={rule.fraction}'
    if rule.per_class is None
    else f'validation_per_class={rule.per_class}'
  )
  if empty:
    raise ConfigError(f'{share} leaves {empty} classes without a training picture.')
  if not is_validation.any():
    raise ConfigError(f'{share} leaves the validation split without a picture.')
