"""TFRecords of other programs: research/slim, TFDS, ImageNet builders. No TensorFlow.

Images stay in their files until they are converted; only offsets, labels and names are in memory.
"""

import array
import collections
import dataclasses
import functools
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from vgg_slim.data import example_proto, record_framing
from vgg_slim.data.labels import LABELS_FILE, check_class_names, read_labels
from vgg_slim.data.sources import split_names
from vgg_slim.data.sources.labeled_images import LabeledImage, Source, fingerprint_files
from vgg_slim.errors import DataError
from vgg_slim.wording import counted

Kind = TypeVar('Kind')

_SHARD = re.compile(r'\d+-of-\d+|\.tfrecords?\b')
_TFDS_LABELS_FILE = 'label.labels.txt'

# The first key that is there counts: those of slim and ImageNet builders come before those of TFDS.
_IMAGE_KEYS = (example_proto.ENCODED, 'image')
_LABEL_KEYS = (example_proto.LABEL, 'label')
_NAME_KEYS = (example_proto.FILENAME, 'file_name', 'filename')

_BACKGROUND = 'background'


@dataclasses.dataclass
class _Records:
  """Index of the records of one split.

  Attributes:
    paths: paths of the files.
    files: index into `paths` of the file of each record.
    offsets: offset of each record in its file, in bytes.
    labels: label of each record, as stored.
    names: name of each record.
  """

  paths: list[str] = dataclasses.field(default_factory=list)
  files: array.array = dataclasses.field(default_factory=lambda: array.array('q'))
  offsets: array.array = dataclasses.field(default_factory=lambda: array.array('q'))
  labels: array.array = dataclasses.field(default_factory=lambda: array.array('q'))
  names: list[str] = dataclasses.field(default_factory=list)


class RecordImages(Sequence[LabeledImage]):
  """Images in TFRecord files, read on access.

  Args:
    records: index of the records.
    label_offset: number to subtract from the stored labels.
  """

  def __init__(self, records: _Records, label_offset: int):
    self._records = records
    self._label_offset = label_offset

  def __len__(self) -> int:
    return len(self._records.names)

  def __getitem__(self, index: int) -> LabeledImage:  # type: ignore[override]  # no slices
    records = self._records
    path, offset = records.paths[records.files[index]], records.offsets[index]
    read = functools.partial(_read_image, path, offset)
    return LabeledImage(records.names[index], records.labels[index] - self._label_offset, read)


def open_records(folder: pathlib.Path) -> Source:
  """Opens a folder of TFRecord files whose names give the split and the shard.

  A record holds an encoded image under 'image/encoded' or 'image', and its label, an integer, under
  'image/class/label' or 'label'. Class names come from `labels.txt` (lines `id:name`), from TFDS's
  `label.labels.txt` (one name per line) or from 'image/class/text'; otherwise the labels serve as
  names. The label is appended to names that are not unique, such as ImageNet's two cranes.

  Labels that count from 1 are shifted to count from 0, see `label_offset`.

  Raises:
    DataError: there are no training records, a record has no image or label (names the file), or
      labels and class names do not match.
    OSError: a file cannot be read, or is not a TFRecord file.
  """
  paths = sorted(p for p in folder.iterdir() if _SHARD.search(p.name) and p.is_file())
  splits: dict[str, _Records] = collections.defaultdict(_Records)
  texts: dict[int, str] = {}
  for path in paths:
    _list_records(path, splits[_split_of(path)], texts)
  if not (splits['train'].names and all(records.names for records in splits.values())):
    empty = ', '.join(split for split, records in splits.items() if not records.names)
    raise DataError(
      f'{folder} has no records for {empty}; expected file names such as '
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
    fingerprint=fingerprint_files(paths),
  )


def label_offset(labels: Sequence[int], names: Sequence[str]) -> int:
  """Returns 1 where labels count from 1, as slim's 1..1000 for ImageNet do, else 0.

  Labels count from 1 if the smallest is 1 and the classes have no names, or the first name is
  'background' (1001 names for 1000 classes), or the largest label is the number of names.

  Args:
    labels: all labels that occur, ascending.
    names: class names, or an empty sequence.
  """
  if labels[0] != 1:
    return 0
  return int(not names or names[0] == _BACKGROUND or labels[-1] == len(names))


def _split_of(path: pathlib.Path) -> str:
  """Finds the split in names such as flowers_train_00000-of-00005.tfrecord."""
  words = re.split(r'[^a-z0-9]+', path.name.lower())
  splits = [split for word in words if (split := split_names.split_of(word))]
  if not splits:
    raise DataError(
      f'{path}: the file name must contain the name of a split: {split_names.EXAMPLES}.'
    )
  return splits[-1]


def _list_records(path: pathlib.Path, records: _Records, texts: dict[int, str]) -> None:
  """Adds the records of a file to `records`, and the class texts by label to `texts`."""
  records.paths.append(str(path))
  for offset, record in record_framing.iterate_records(path):
    try:
      features = example_proto.decode_example(record)
      _image(features)
      label = _label(features)
    except ValueError as error:
      raise DataError(f'{path}, record at byte {offset}: {error}.') from error
    if text := features.get(example_proto.TEXT):
      texts[label] = _decode(text[0])
    name = next((_decode(features[key][0]) for key in _NAME_KEYS if features.get(key)), '')
    # Stored names may be missing or repeated; shard and number make them unique.
    records.names.append(f'{path.name}/{len(records.names):07d}{"/" if name else ""}{name}')
    records.files.append(len(records.paths) - 1)
    records.offsets.append(offset)
    records.labels.append(label)


def _read_image(path: str, offset: int) -> bytes:
  return _image(example_proto.decode_example(record_framing.read_record(path, offset)))


def _image(features: Mapping[str, Sequence[Any]]) -> bytes:
  return _first(features, _IMAGE_KEYS, bytes, 'an encoded image')


def _label(features: Mapping[str, Sequence[Any]]) -> int:
  return _first(features, _LABEL_KEYS, int, 'an integer')


def _first(
  features: Mapping[str, Sequence[Any]], keys: Sequence[str], kind: type[Kind], what: str
) -> Kind:
  for key in keys:
    if features.get(key) and isinstance(features[key][0], kind):
      return features[key][0]
  present = ', '.join(sorted(features)) or 'nothing'
  raise ValueError(f'expected {what} under {" or ".join(keys)}, the record has {present}')


def _decode(text: bytes | int) -> str:
  return text.decode(errors='backslashreplace') if isinstance(text, bytes) else str(text)


def _read_class_names(folder: pathlib.Path) -> tuple[str, ...]:
  """Reads the class names from the folder's file of labels; empty if there is no such file."""
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
  prefix = f'{folder}: labels range from {labels[0]} to {labels[-1]}, but'
  if not names:
    if labels != list(range(offset, offset + len(labels))):
      raise DataError(
        f'{prefix} only {len(labels)} of them occur, and there is no {LABELS_FILE} that names the '
        'others.'
      )
    names = tuple(texts.get(label, str(label)) for label in labels)
  elif offset and names[0] == _BACKGROUND:
    names = names[1:]
  if labels[0] < 0 or labels[-1] - offset >= len(names):
    raise DataError(f'{prefix} there are names for {counted(len(names), "class")}.')
  counts = collections.Counter(names)
  names = tuple(
    f'{name} {label}' if counts[name] > 1 else name for label, name in enumerate(names, offset)
  )
  check_class_names(names)
  return names
