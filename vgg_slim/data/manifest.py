"""The description of a converted data set: `manifest.json`. No TensorFlow."""

import dataclasses
import hashlib
import json
import math
import pathlib
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from vgg_slim import __version__, files, json_objects, similar_paths
from vgg_slim.data import labels, path_hints
from vgg_slim.errors import DataError
from vgg_slim.preprocessing.description import Range, is_range
from vgg_slim.wording import counted

MANIFEST_FILE = 'manifest.json'
FORMAT_VERSION = 2
SPLITS = ('train', 'validation', 'test')  # in the order in which they are converted


@dataclasses.dataclass(frozen=True)
class Shard:
  """One TFRecord file; `file` is its name in the data folder, `sha256` is in hex digits."""

  file: str
  num_examples: int
  num_bytes: int
  sha256: str


@dataclasses.dataclass(frozen=True)
class Split:
  """A split of the data set; `examples_per_class` is indexed by label."""

  num_examples: int
  examples_per_class: tuple[int, ...]
  shards: tuple[Shard, ...]

  @property
  def num_bytes(self) -> int:
    return sum(shard.num_bytes for shard in self.shards)


class Elongated(NamedTuple):
  """An image by its name, with its height and width in pixels."""

  name: str
  height: int
  width: int


@dataclasses.dataclass(frozen=True)
class Manifest:
  """A converted data set.

  Attributes:
    format_version: FORMAT_VERSION of the code that wrote it.
    vgg_slim_version: version of the library that wrote it.
    dataset: kind of source, a key of `catalog.DATASETS`.
    class_names: class names in the order of the labels.
    rgb_mean: mean over all pixels of the training split, R, G, B, 0..255; gray counts as R = G = B.
      `pixel_moments` says how accurate it is for large splits.
    rgb_std: standard deviation of the same pixels, on the same scale.
    rgb_covariance: 3x3 covariance matrix of the same pixels; its diagonal is `rgb_std` squared.
    smallest_side: shortest side of any image of any split, in pixels.
    largest_side: longest side of any image of any split, in pixels.
    same_size: whether all images of all splits have the same height and the same width.
    mirror_safe: whether a horizontally flipped image still belongs to its class.
    seed: random seed of the validation split and of the order of the training split.
    validation_fraction: fraction of the source's training split that became the validation split.
    splits: splits by name: 'train' and possibly 'validation' and 'test'.
    stored_side: smaller side in pixels to which larger images were reduced; None if sizes were
      kept.
    pixel_range: values that became 0 and 255 in images of more than 8 bits whose files do not say;
      None if all 16 bits were used, or if there were no such images.
    most_elongated: image of any split whose sides have the largest ratio; None if it is not known.
  """

  format_version: int
  vgg_slim_version: str
  dataset: str
  class_names: tuple[str, ...]
  rgb_mean: tuple[float, float, float]
  rgb_std: tuple[float, float, float]
  rgb_covariance: tuple[tuple[float, float, float], ...]
  smallest_side: int
  largest_side: int
  same_size: bool
  mirror_safe: bool
  seed: int
  validation_fraction: float
  splits: dict[str, Split]
  stored_side: int | None = None
  pixel_range: Range | None = None
  most_elongated: Elongated | None = None

  @property
  def num_classes(self) -> int:
    return len(self.class_names)

  @property
  def uniform_pixels(self) -> int | None:
    """Number of pixels of every image, or None if sizes differ."""
    return self.smallest_side * self.largest_side if self.same_size else None

  @property
  def fingerprint(self) -> str:
    """16 hex digits that change whenever a class name or any byte of a shard changes."""
    content = [list(self.class_names)]
    content += [
      [name, *(s.sha256 for s in self.splits[name].shards)] for name in sorted(self.splits)
    ]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]

  def split(self, name: str) -> Split:
    """Returns a split.

    Raises:
      DataError: there is no split of this name; the message lists the splits.
    """
    if name not in self.splits:
      raise DataError(f'There is no split {name!r}; this data set has {", ".join(self.splits)}.')
    return self.splits[name]


def write_manifest(data_dir: str | pathlib.Path, manifest: Manifest) -> None:
  """Writes `manifest.json` and `labels.txt` into `data_dir`."""
  folder = pathlib.Path(data_dir)
  labels.write_labels(folder / labels.LABELS_FILE, manifest.class_names)
  text = json.dumps(dataclasses.asdict(manifest), indent=2) + '\n'
  files.write_text(folder / MANIFEST_FILE, text)


def read_manifest(data_dir: str | pathlib.Path) -> Manifest:
  """Reads `manifest.json` and checks it against the files that it lists.

  Only the sizes of shards are checked; `check_checksums` reads every byte.

  Raises:
    DataError: the folder, the manifest, the label file or a shard is missing, broken or
      inconsistent with the others; the message names the file.
  """
  folder = pathlib.Path(data_dir)
  path = folder / MANIFEST_FILE
  if not folder.is_dir():
    raise DataError(
      f'{folder} is not a folder. Create it with tools/convert_to_tfrecord (the file of a recipe '
      'begins with the command), or give another --data_dir.'
      f'{similar_paths.suggest(folder, only_folders=True)}'
    )
  if not path.is_file():
    raise DataError(
      f'{folder} has no {MANIFEST_FILE}, so it is not a complete converted data set.'
      f'{path_hints.conversion(folder)}'
    )
  try:
    manifest = _from_values(json_objects.read(path))
  except (OSError, ValueError) as error:
    raise DataError(f'{path}: {error}') from error
  labels.check_labels(folder / labels.LABELS_FILE, manifest.class_names)
  _check_shard_sizes(folder, manifest)
  return manifest


def split_to_evaluate(splits: Collection[str]) -> str:
  """Returns the split that is evaluated by default: train only if there is no other."""
  return next((name for name in ('validation', 'test') if name in splits), 'train')


def shard_paths(data_dir: str | pathlib.Path, manifest: Manifest, split: str) -> list[str]:
  """Returns the paths of a split's TFRecord files, in order.

  Raises:
    DataError: there is no such split.
  """
  return [str(pathlib.Path(data_dir, shard.file)) for shard in manifest.split(split).shards]


def check_checksums(data_dir: str | pathlib.Path, manifest: Manifest) -> None:
  """Reads every shard and raises DataError that lists those whose SHA-256 is wrong."""
  problems = []
  for split in manifest.splits.values():
    for shard in split.shards:
      path = pathlib.Path(data_dir, shard.file)
      actual = sha256_of(path)
      if actual != shard.sha256:
        problems.append(f'{path} has {actual}, expected {shard.sha256}')
  if problems:
    raise DataError(f'Checksums (SHA-256) differ: {"; ".join(problems)}.')


def sha256_of(path: pathlib.Path) -> str:
  """Returns the SHA-256 of a file in hex digits.

  Raises:
    DataError: the file cannot be read.
  """
  digest = hashlib.sha256()
  try:
    with path.open('rb') as stream:
      while block := stream.read(1 << 20):
        digest.update(block)
  except OSError as error:
    raise DataError(f'{path} cannot be read: {error.strerror}.') from error
  return digest.hexdigest()


def _check_shard_sizes(folder: pathlib.Path, manifest: Manifest) -> None:
  problems = []
  for split in manifest.splits.values():
    for shard in split.shards:
      path = folder / shard.file
      if not path.is_file():
        problems.append(f'{path} is missing')
      elif path.stat().st_size != shard.num_bytes:
        problems.append(f'{path} has {path.stat().st_size} bytes, expected {shard.num_bytes}')
  if problems:
    raise DataError(f'Shards are inconsistent with {MANIFEST_FILE}: {"; ".join(problems)}.')


def _is_count(value: Any) -> bool:
  return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_number(value: Any) -> bool:
  return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_list_of(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
  return lambda value: isinstance(value, list) and all(check(item) for item in value)


def _is(kind: type) -> Callable[[Any], bool]:
  return lambda value: isinstance(value, kind)


def _is_rgb(value: Any) -> bool:
  return _is_list_of(_is_number)(value) and len(value) == 3


def _is_elongated(value: Any) -> bool:
  return (
    isinstance(value, list)
    and len(value) == 3
    and isinstance(value[0], str)
    and all(_is_count(side) and side > 0 for side in value[1:])
  )


def _is_rgb_matrix(value: Any) -> bool:
  return _is_list_of(_is_rgb)(value) and len(value) == 3


def _has_known_names(value: Any) -> bool:
  return isinstance(value, dict) and set(value) <= set(SPLITS)


def _is_file_name(value: Any) -> bool:
  return isinstance(value, str) and files.is_name(value)


_COUNT = (_is_count, 'an integer of at least 0')
_SIDE = (
  lambda value: value is None or (_is_count(value) and value > 0),
  'a positive number of pixels or null',
)
_ELONGATED = (
  lambda value: value is None or _is_elongated(value),
  'a name, a height and a width, or null',
)
_RANGE = (lambda value: value is None or is_range(value), 'two increasing numbers or null')
_TEXT = (_is(str), 'a string')
_TRUTH = (_is(bool), 'true or false')
_RGB = (_is_rgb, 'three numbers')
_RGB_ROWS = (_is_rgb_matrix, 'three rows of three numbers')

# Members of each JSON object of the manifest: a check, and the allowed values for messages.
_SHARD = {
  'file': (_is_file_name, 'the name of a file in this folder'),
  'num_examples': _COUNT,
  'num_bytes': _COUNT,
  'sha256': _TEXT,
}
_SPLIT = {
  'num_examples': _COUNT,
  'examples_per_class': (_is_list_of(_is_count), 'a list of integers of at least 0'),
  'shards': (_is_list_of(_is(dict)), 'a list of objects'),
}
_MANIFEST = {
  'format_version': _COUNT,
  'vgg_slim_version': _TEXT,
  'dataset': _TEXT,
  'class_names': (_is_list_of(_is(str)), 'a list of strings'),
  'rgb_mean': _RGB,
  'rgb_std': _RGB,
  'rgb_covariance': _RGB_ROWS,
  'smallest_side': _COUNT,
  'largest_side': _COUNT,
  'same_size': _TRUTH,
  'mirror_safe': _TRUTH,
  'seed': _COUNT,
  'validation_fraction': (_is_number, 'a number'),
  'splits': (_has_known_names, f'an object whose members are of {SPLITS}'),
  'stored_side': _SIDE,
  'pixel_range': _RANGE,
  'most_elongated': _ELONGATED,
}


def _from_values(values: dict[str, Any]) -> Manifest:
  version = values.get('format_version')
  if version is not None and version != FORMAT_VERSION:
    raise DataError(
      f'format_version is {version!r}; vgg_slim {__version__} reads {FORMAT_VERSION}. '
      'Convert the data set again.'
    )
  values.setdefault('stored_side', None)  # vgg_slim 0.1 did not record it
  values.setdefault('pixel_range', None)  # vgg_slim 0.2 did not record it
  values.setdefault('most_elongated', None)  # nor this
  _check_object(values, _MANIFEST, 'the manifest')
  values['splits'] = {
    name: _split_from_json(split, f'split {name!r}', len(values['class_names']))
    for name, split in values['splits'].items()
  }
  for name in ('class_names', 'rgb_mean', 'rgb_std'):
    values[name] = tuple(values[name])
  if values['pixel_range'] is not None:
    values['pixel_range'] = tuple(values['pixel_range'])
  if values['most_elongated'] is not None:
    values['most_elongated'] = Elongated(*values['most_elongated'])
  values['rgb_covariance'] = tuple(tuple(row) for row in values['rgb_covariance'])
  return Manifest(**values)


def _split_from_json(values: Any, where: str, num_classes: int) -> Split:
  _check_object(values, _SPLIT, where)
  for i, shard in enumerate(values['shards']):
    _check_object(shard, _SHARD, f'{where}, shard {i}')
  split = Split(
    num_examples=values['num_examples'],
    examples_per_class=tuple(values['examples_per_class']),
    shards=tuple(Shard(**shard) for shard in values['shards']),
  )
  in_shards = sum(shard.num_examples for shard in split.shards)
  in_classes = sum(split.examples_per_class)
  if not split.num_examples == in_shards == in_classes:
    raise DataError(
      f'{where}: num_examples is {split.num_examples}, but its shards add up to {in_shards} and '
      f'its classes to {in_classes}.'
    )
  if len(split.examples_per_class) != num_classes:
    raise DataError(
      f'{where}: examples_per_class has {counted(len(split.examples_per_class), "number")} for '
      f'{counted(num_classes, "class name")}.'
    )
  return split


def _check_object(values: Any, schema: dict[str, Any], where: str) -> None:
  """Raises DataError that lists all missing, unknown and invalid members of a JSON object."""
  if not isinstance(values, dict):
    raise DataError(f'{where} must be an object, got {type(values).__name__}.')
  problems = []
  if missing := sorted(set(schema) - set(values)):
    problems.append(f'missing {missing}')
  if unknown := sorted(set(values) - set(schema)):
    problems.append(f'unknown {unknown}')
  for name, (is_ok, allowed) in schema.items():
    if name in values and not is_ok(values[name]):
      problems.append(f'{name} must be {allowed}, got {values[name]!r}')
  if problems:
    raise DataError(f'{where}: {"; ".join(problems)}.')
