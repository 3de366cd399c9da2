"""Folders of features: the key of the features, and one `.npz` file per split. No TensorFlow.

`features.json` holds the key: the hash of the weights, the preprocessing, the fingerprint of the
data set, the layer and the sides. Features with the same key are never computed again, and features
with different keys are never mixed in one folder.
"""

import dataclasses
import json
import pathlib
import zipfile
from collections.abc import Iterable, Sequence
from typing import IO, NamedTuple

import numpy as np

from vgg_slim import files
from vgg_slim.configs.checks import check_fields
from vgg_slim.errors import ConfigError, DataError
from vgg_slim.finite import check_finite
from vgg_slim.preprocessing import description

KEY_FILE = 'features.json'


@dataclasses.dataclass(frozen=True)
class FeatureKey:
  """Everything that features depend on.

  Attributes:
    weights_sha256: SHA-256 of the checkpoint's files.
    model: name of the network.
    layer: name of the end point whose output the features are.
    image_size: side of the crop, in pixels.
    test_scale: smaller side of the image before the crop, in pixels.
    rgb_mean: mean that is subtracted from R, G and B, 0..255.
    pixel_scale: factor applied after the subtraction.
    data_fingerprint: fingerprint of the data set, see `Manifest.fingerprint`.
    class_names: class names in the order of the labels.
    passes: number of passes over the training split; all but the first are augmented.
    seed: random seed of the augmentation.
    resize_filter: filter for resizing, see `description.Preprocessing`.
    stored_side: side of the stored images, see `description.Preprocessing`.
  """

  weights_sha256: str
  model: str
  layer: str
  image_size: int
  test_scale: int
  rgb_mean: tuple[float, float, float]
  pixel_scale: float
  data_fingerprint: str
  class_names: tuple[str, ...]
  passes: int = 1
  seed: int = 0
  resize_filter: str = description.ANTIALIASED
  stored_side: int | None = None

  def __post_init__(self):
    for name in ('rgb_mean', 'class_names'):
      object.__setattr__(self, name, tuple(getattr(self, name)))


class FeatureSet(NamedTuple):
  """Features of a split.

  Attributes:
    features: output of the layer, float32 [N, h, w, C]; one pass after another, each in the order
      of the records.
    labels: class indices, int32 [N].
    names: names of the images in their source, str [N].
  """

  features: np.ndarray
  labels: np.ndarray
  names: np.ndarray


def features_path(folder: pathlib.Path, split: str) -> pathlib.Path:
  """Path of the features of a split."""
  return folder / f'{split}.npz'


def open_folder(folder: pathlib.Path, key: FeatureKey) -> None:
  """Creates a folder for the features of `key`, or checks that an existing one has this key.

  Raises:
    ConfigError: the folder has another key; the message lists the fields that differ.
  """
  if (folder / KEY_FILE).exists():
    before, now = dataclasses.asdict(read_key(folder)), dataclasses.asdict(key)
    differing = [
      f'{name} {before[name]!r}, now {value!r}'
      for name, value in now.items()
      if before[name] != value
    ]
    if differing:
      raise ConfigError(
        f'{folder} holds other features: {"; ".join(differing)}. Give another --output.'
      )
    return
  folder.mkdir(parents=True, exist_ok=True)
  files.write_text(folder / KEY_FILE, json.dumps(dataclasses.asdict(key), indent=2) + '\n')


def read_key(folder: pathlib.Path) -> FeatureKey:
  """Reads the key of a folder.

  Raises:
    DataError: the folder has no key, or it cannot be read.
  """
  path = folder / KEY_FILE
  try:
    values = json.loads(path.read_text(encoding='utf-8'))
    if isinstance(values, dict):  # vgg_slim 0.1 did not write these
      values = {'resize_filter': description.FILTER_OF_0_1, 'stored_side': None, **values}
    check_fields(values, FeatureKey, 'the top level')
    return FeatureKey(**values)
  except OSError as error:
    raise DataError(f'{folder} holds no features: {KEY_FILE}: {error.strerror}.') from error
  except (ValueError, TypeError) as error:
    raise DataError(f'{path}: {error}') from error


def write_features(path: pathlib.Path, shape: Sequence[int], batches: Iterable[FeatureSet]) -> None:
  """Writes a `.npz` file that `np.load` can read; one batch is in memory at a time.

  Args:
    path: output file; it appears only once it is complete.
    shape: shape of all features, [N, h, w, C].
    batches: batches with N rows in total.

  Raises:
    DataError: the batches do not have N rows in total.
  """
  labels, names = [], []
  with files.open_atomic(path) as file, zipfile.ZipFile(file, 'w') as archive:
    with archive.open('features.npy', 'w', force_zip64=True) as stream:
      _write_header(stream, tuple(shape))
      for batch in batches:
        stream.write(np.ascontiguousarray(batch.features, '<f4').data)
        labels.append(batch.labels)
        names.append(batch.names)
    rows = sum(map(len, labels))
    if rows != shape[0]:
      raise DataError(f'{path.name}: expected {shape[0]} images, got {rows}.')
    for name, parts in (('labels', labels), ('names', names)):
      with archive.open(f'{name}.npy', 'w') as stream:
        np.lib.format.write_array(stream, np.concatenate(parts), allow_pickle=False)


def _write_header(stream: IO[bytes], shape: tuple[int, ...]) -> None:
  header = {'descr': '<f4', 'fortran_order': False, 'shape': shape}
  np.lib.format.write_array_header_1_0(stream, header)


def read_features(path: pathlib.Path) -> FeatureSet:
  """Reads what `write_features` wrote.

  Raises:
    DataError: the file is missing or damaged.
    NonFiniteError: a feature is not finite.
  """
  try:
    with np.load(path, allow_pickle=False) as arrays:
      features = FeatureSet(*(arrays[name] for name in FeatureSet._fields))
  except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
    raise DataError(f'{path} cannot be read as features: {error}.') from error
  check_finite(
    features.features, f'The checkpoint that {path} was made with', features.names.__getitem__
  )
  return features
