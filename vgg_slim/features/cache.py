"""Folders of features: the key of the features, and one `.npz` file per split. No TensorFlow.

`features.json` holds the key: the hash of the weights, the preprocessing, the fingerprint of the
data set, the layer and the sides. Features with the same key are never computed again, and features
with different keys are never mixed in one folder.
"""

import dataclasses
import json
import pathlib
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, Any, NamedTuple

import numpy as np

from vgg_slim import array_archives, files, json_objects
from vgg_slim.checkpoints.contract import Contract
from vgg_slim.configs.checks import check_names
from vgg_slim.configs.net import Network
from vgg_slim.constants import LARGEST_SCALE
from vgg_slim.errors import ConfigError, DataError
from vgg_slim.finite import check_finite
from vgg_slim.nets import specs
from vgg_slim.preprocessing import description, test_scales
from vgg_slim.preprocessing.description import Preprocessing

KEY_FILE = 'features.json'


def choose_sides(
  contract: Contract, image_size: int | None, test_scale: int | None
) -> tuple[int, int]:
  """Returns the side of the crop, and the smaller side of the image before it, in pixels.

  Args:
    contract: contract of the checkpoint, whose sides are the defaults.
    image_size: side of the crop.
    test_scale: smaller side of the image; for an `image_size` that is not the contract's, the
      default is in proportion to it.

  Raises:
    ConfigError: the crop is too small for the network, or larger than the image.
  """
  network = contract.network
  side = image_size or network.image_size
  if test_scale is None:
    is_contract_size = side == network.image_size
    own_scale = contract.preprocessing.test_scale
    test_scale = own_scale if is_contract_size else test_scales.default(side)
  specs.get(network.model).map_side(side)
  if test_scale < side:
    raise ConfigError(f'test_scale={test_scale} is smaller than image_size={side}.')
  if test_scale > LARGEST_SCALE:
    raise ConfigError(f'test_scale={test_scale} must be at most {LARGEST_SCALE}.')
  return side, test_scale


@dataclasses.dataclass(frozen=True)
class FeatureKey:
  """Everything that features depend on.

  Attributes:
    weights_sha256: SHA-256 of the checkpoint's files.
    trunk: identity of the trunk; its `image_size` is the side of the crop, in pixels.
    layer: name of the end point whose output the features are.
    preprocessing: what images go through before the crop.
    data_fingerprint: fingerprint of the data set, see `Manifest.fingerprint`.
    class_names: class names in the order of the labels.
    passes: number of passes over the training split; all but the first are augmented.
    seed: random seed of the augmentation.
    precision: precision in which the trunk was computed; the features are stored in float32.
  """

  weights_sha256: str
  trunk: Network
  layer: str
  preprocessing: Preprocessing
  data_fingerprint: str
  class_names: tuple[str, ...]
  passes: int = 1
  seed: int = 0
  precision: str = 'float32'

  def __post_init__(self):
    object.__setattr__(self, 'class_names', tuple(self.class_names))


# The file is flat: it holds these fields of the parts beside those of the key itself.
_PART_FIELDS = {
  'trunk': ('model', 'image_size'),
  'preprocessing': (
    'test_scale',
    'rgb_mean',
    'pixel_scale',
    'resize_filter',
    'stored_side',
    'keep_aspect_ratio',
    'per_image_standardization',
    'pixel_range',
  ),
}
# Values of fields that earlier versions did not write.
_EARLIER = {
  'resize_filter': description.FILTER_OF_0_1,
  'stored_side': None,
  'keep_aspect_ratio': True,
  'per_image_standardization': False,
  'pixel_range': None,
  'precision': 'float32',
}
_OWN_FIELDS = tuple(f.name for f in dataclasses.fields(FeatureKey) if f.name not in _PART_FIELDS)


def to_values(key: FeatureKey) -> dict[str, Any]:
  """Returns the flat JSON object of a key."""
  parts = ((getattr(key, part), names) for part, names in _PART_FIELDS.items())
  values = {name: getattr(part, name) for part, names in parts for name in names}
  return {**values, **{name: getattr(key, name) for name in _OWN_FIELDS}}


def from_values(values: Mapping[str, Any]) -> FeatureKey:
  """Inverse of `to_values`.

  Raises:
    ConfigError: fields are missing or unknown, or values are invalid.
  """
  names = {name for names in (*_PART_FIELDS.values(), _OWN_FIELDS) for name in names}
  check_names(values, 'the top level', names, names)
  trunk, pixels = ({n: values[n] for n in names} for names in _PART_FIELDS.values())
  own = {name: values[name] for name in _OWN_FIELDS}
  return FeatureKey(trunk=Network(None, **trunk), preprocessing=Preprocessing(**pixels), **own)


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
    before, now = to_values(read_key(folder)), to_values(key)
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
  files.write_text(folder / KEY_FILE, json.dumps(to_values(key), indent=2) + '\n')


def read_key(folder: pathlib.Path) -> FeatureKey:
  """Reads the key of a folder.

  Raises:
    DataError: the folder has no key, or it cannot be read.
  """
  path = folder / KEY_FILE
  try:
    return from_values({**_EARLIER, **json_objects.read(path)})
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
    with array_archives.open_arrays(path) as arrays:
      features = FeatureSet(*(arrays[name] for name in FeatureSet._fields))
    _check_set(features)
  except (OSError, ValueError) as error:
    raise DataError(f'{path} cannot be read as features: {error}.') from error
  check_finite(
    features.features, f'The checkpoint that {path} was made with', features.names.__getitem__
  )
  return features


def _check_set(found: FeatureSet) -> None:
  """Raises ValueError unless the arrays have the types and shapes that `FeatureSet` says."""
  features, labels, names = found
  if features.dtype != np.float32 or features.ndim != 4:
    raise ValueError(f'features are {features.dtype} {list(features.shape)}, not float32 [N,h,w,C]')
  if labels.dtype != np.int32 or labels.shape != (len(features),) or (labels < 0).any():
    raise ValueError(f'labels are not {len(features)} integers of at least 0')
  if len(array_archives.texts(names)) != len(features):
    raise ValueError(f'there are {len(names)} names for {len(features)} features')
