"""TFRecords that other programs wrote: research/slim's, TFDS's, ImageNet builders'. No TensorFlow.

Pictures stay where they are until they are converted; only places, labels and names are in memory.
"""

import array
import collections
import dataclasses
import functools
import pathlib
import re
from collections.abc import Mapping, Sequence

import numpy as np

from vgg_slim.data import example_proto, record_framing
from vgg_slim.data.labels import LABELS_FILE, check_class_names, read_labels
from vgg_slim.data.sources.labeled_images import LabeledImage, Source, state_of_files
from vgg_slim.errors import DataError

# By a word of a file's name: flowers_train_00000-of-00005.tfrecord, mnist-test.tfrecord-00000-of...
_SPLITS = {
  'train': 'train',
  'validation': 'validation',
  'valid': 'validation',
  'val': 'validation',
  'test': 'test',
}
_SHARD = re.compile(r'\d+-of-\d+|\.tfrecords?\b')
_TFDS_LABELS_FILE = 'label.labels.txt'

# In this order: the keys of slim and of ImageNet builders, then those of TFDS.
_PICTURE_KEYS = (example_proto.ENCODED, 'image')
_LABEL_KEYS = (example_proto.LABEL, 'label')
_NAME_KEYS = (example_proto.FILENAME, 'file_name', 'filename')

_BACKGROUND = 'background'


@dataclasses.dataclass
class _Records:
  """What is known of the records of one split; an entry a picture but for `paths`."""

  paths: list[str] = dataclasses.field(default_factory=list)
  files: array.array = dataclasses.field(default_factory=lambda: array.array('q'))
  places: array.array = dataclasses.field(default_factory=lambda: array.array('q'))
  labels: array.array = dataclasses.field(default_factory=lambda: array.array('q'))
  names: list[str] = dataclasses.field(default_factory=list)


class RecordImages(Sequence):
  """Pictures inside TFRecord files, read when asked for; labels are those found less `offset`."""

  def __init__(self, records: _Records, offset: int):
    self._records = records
    self._offset = offset

  def __len__(self) -> int:
    return len(self._records.names)

  def __getitem__(self, index: int) -> LabeledImage:
    found = self._records
    read = functools.partial(_read_picture, found.paths[found.files[index]], found.places[index])
    return LabeledImage(found.names[index], found.labels[index] - self._offset, read)


def open_records(folder: pathlib.Path) -> Source:
  """Opens a folder of TFRecord files whose names tell split and shard.

  A record holds an encoded picture under 'image/encoded' or 'image', and its label, a whole number,
  under 'image/class/label' or 'label'. Class names come from `labels.txt` (`id:name` lines), from
  TFDS's `label.labels.txt` (a name a line), or from 'image/class/text'; else they are numbers.
  Where two are alike, as ImageNet's two cranes are, their numbers go behind them.

  Labels that count from 1 are moved to 0, see `label_offset`.

  Raises:
    DataError: no records to train on, or some that do not fit; names the file.
    OSError: a file cannot be read, or is no TFRecord file.
  """
  paths = sorted(p for p in folder.iterdir() if _SHARD.search(p.name) and p.is_file())
  splits = collections.defaultdict(_Records)
  texts: dict[int, str] = {}
  for path in paths:
    _list_records(path, splits[_split_of(path)], texts)
  if not (splits['train'].names and all(records.names for records in splits.values())):
    empty = ', '.join(split for split, records in splits.items() if not records.names)
    raise DataError(
      f'{folder} has no records of {empty}; files are named such as '
      'flowers_train_00000-of-00005.tfrecord.'
    )
  labels = np.unique(np.concatenate([records.labels for records in splits.values()])).tolist()
  names = _read_class_names(folder)
  offset = label_offset(labels, names)
  return Source(
    'tfrecord',
    _name_classes(folder, names, texts, labels, offset),
    {split: RecordImages(records, offset) for split, records in splits.items()},
    mirror_safe=True,
    state=state_of_files(paths),
  )


def label_offset(labels: Sequence[int], names: Sequence[str]) -> int:
  """1 where labels count from 1, as slim's 1 .. 1000 of ImageNet do, else 0.

  They do if none is 0 and either nothing names the classes, or the first name is 'background'
  (1001 names of 1000 classes), or the largest label is the number of the names.

  Args:
    labels: all that come, ascending.
    names: of the classes, or empty.
  """
  if labels[0] != 1:
    return 0
  return int(not names or names[0] == _BACKGROUND or labels[-1] == len(names))


def _split_of(path: pathlib.Path) -> str:
  words = re.split(r'[^a-z0-9]+', path.name.lower())
  splits = [_SPLITS[word] for word in words if word in _SPLITS]
  if not splits:
    raise DataError(f'{path}: its name must have one of the words {", ".join(_SPLITS)}.')
  return splits[-1]


def _list_records(path: pathlib.Path, found: _Records, texts: dict[int, str]) -> None:
  """Adds the records of a file to `found`, and to `texts` what they call their labels."""
  found.paths.append(str(path))
  for place, record in record_framing.iterate_records(path):
    try:
      features = example_proto.decode_example(record)
      _picture(features)
      label = _label(features)
    except ValueError as error:
      raise DataError(f'{path}, record at byte {place}: {error}.') from error
    if text := features.get(example_proto.TEXT):
      texts[label] = _decode(text[0])
    name = next((_decode(features[key][0]) for key in _NAME_KEYS if features.get(key)), '')
    # Others need not name pictures, or may name two alike; shard and number tell them apart.
    found.names.append(f'{path.name}/{len(found.names):07d}{"/" if name else ""}{name}')
    found.files.append(len(found.paths) - 1)
    found.places.append(place)
    found.labels.append(label)


def _read_picture(path: str, place: int) -> bytes:
  return _picture(example_proto.decode_example(record_framing.read_record(path, place)))


def _picture(features: Mapping[str, Sequence[bytes | int]]) -> bytes:
  return _first(features, _PICTURE_KEYS, bytes, 'a picture')


def _label(features: Mapping[str, Sequence[bytes | int]]) -> int:
  return _first(features, _LABEL_KEYS, int, 'a whole number')


def _first(
  features: Mapping[str, Sequence[bytes | int]], keys: Sequence[str], kind: type, what: str
) -> bytes | int:
  for key in keys:
    if features.get(key) and isinstance(features[key][0], kind):
      return features[key][0]
  found = ', '.join(sorted(features)) or 'nothing'
  raise ValueError(f'expected {what} under {" or ".join(keys)}, it has {found}')


def _decode(text: bytes | int) -> str:
  return text.decode(errors='backslashreplace') if isinstance(text, bytes) else str(text)


def _read_class_names(folder: pathlib.Path) -> tuple[str, ...]:
  """Those of a file in the folder; none if there is no such file."""
  if (folder / LABELS_FILE).is_file():
    return read_labels(folder / LABELS_FILE)
  path = folder / _TFDS_LABELS_FILE
  return tuple(path.read_text(errors='backslashreplace').splitlines()) if path.is_file() else ()


def _name_classes(
  folder: pathlib.Path,
  names: tuple[str, ...],
  texts: Mapping[int, str],
  labels: Sequence[int],
  offset: int,
) -> tuple[str, ...]:
  come = f'{folder}: labels {labels[0]} to {labels[-1]} come, but'
  if not names:
    if labels != list(range(offset, offset + len(labels))):
      raise DataError(f'{come} only {len(labels)} of them, and no {LABELS_FILE} names the others.')
    names = tuple(texts.get(label, str(label)) for label in labels)
  elif offset and names[0] == _BACKGROUND:
    names = names[1:]
  if labels[0] < 0 or labels[-1] - offset >= len(names):
    raise DataError(f'{come} there are names of {len(names)} classes.')
  counts = collections.Counter(names)
  names = tuple(
    f'{name} {label}' if counts[name] > 1 else name for label, name in enumerate(names, offset)
  )
  check_class_names(names)
  return names
