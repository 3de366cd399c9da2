"""ImageNet as ILSVRC publishes it: synset folders for train, a flat folder and a list for val.

No TensorFlow.
"""

import csv
import os
import pathlib

from vgg_slim.data.sources import class_layout, image_files, split_names
from vgg_slim.data.sources.labeled_images import FileImages, Source, fingerprint_files
from vgg_slim.errors import DataError
from vgg_slim.wording import counted, listed

_KAGGLE_FOLDER = pathlib.Path('ILSVRC', 'Data', 'CLS-LOC')
# A line holds a file, its synset and bounding boxes (Kaggle); the synset of one file, in the order
# of the sorted file names (slim); or a file and the index of its synset among all, sorted (Caffe).
_VALIDATION_LISTS = (
  'LOC_val_solution.csv',
  'imagenet_2012_validation_synset_labels.txt',
  'validation_synset_labels.txt',
  'val.txt',
)
_WORDS_FILES = ('LOC_synset_mapping.txt', 'synset_words.txt')
_MAX_PROBLEMS = 5  # in one message
_MOST_DIGITS = 10  # of a class


def open_imagenet(root: pathlib.Path) -> Source:
  """Opens the folder that contains `train` and `val`, or the folder of Kaggle's archive.

  A class is called 'n01440764 tench, Tinca tinca' if there is a file of words, else 'n01440764'.

  Args:
    root: folder with `train/SYNSET/*.JPEG` and either `val/*.JPEG` and one of the lists, or
      `val/SYNSET/*.JPEG`.

  Raises:
    DataError: a part is missing, or the list does not match the files; names them.
    OSError: a folder cannot be read.
  """
  data = root / _KAGGLE_FOLDER if (root / _KAGGLE_FOLDER).is_dir() else root
  names_by_split = {split_names.split_of(name): name for name in image_files.list_folders(data)}
  if not (data / 'train').is_dir() or 'validation' not in names_by_split:
    raise DataError(f'{data} must have the folders train and val, or validation.')
  validation = data / names_by_split['validation']
  train_files = image_files.list_tree(data / 'train')
  synsets, train = class_layout.list_classes(data / 'train', train_files)
  skipped_files = [f'train/{file}' for file in train_files.others]
  if image_files.list_folders(validation):
    files = image_files.list_tree(validation)
    _, (names, labels) = class_layout.list_classes(validation, files, synsets)
    skipped_files += [f'{validation.name}/{file}' for file in files.others]
  else:
    names, labels = _read_validation(root, validation, synsets)
  paths = [
    os.path.join(folder, name)
    for folder, part in ((data / 'train', train.names), (validation, names))
    for name in part
  ]
  splits = {
    'train': FileImages(data / 'train', train.names, train.labels, 'train/'),
    'validation': FileImages(validation, names, labels, f'{validation.name}/'),
  }
  return Source(
    'imagenet',
    _with_words(root, synsets),
    splits,
    mirror_safe=True,
    fingerprint=fingerprint_files(paths),
    skipped_files=tuple(skipped_files),
  )


def _read_validation(
  root: pathlib.Path, folder: pathlib.Path, synsets: tuple[str, ...]
) -> tuple[list[str], list[int]]:
  """Returns the sorted file names in `folder` and their labels."""
  path = next((root / name for name in _VALIDATION_LISTS if (root / name).is_file()), None)
  if path is None:
    raise DataError(
      f'{root} has no list of validation labels; expected one of {", ".join(_VALIDATION_LISTS)}. '
      "The development kit's ground truth cannot be used: it numbers the classes in another order."
    )
  names = sorted(name for name in os.listdir(folder) if not name.startswith('.'))
  synset_of = _read_list(path, names, synsets)
  problems = [f'no label for {name}' for name in names if name not in synset_of]
  problems += [f'no file {name}' for name in synset_of if not (folder / name).exists()]
  label_of = {synset: label for label, synset in enumerate(synsets)}
  problems += [f'no folder for {s}' for s in sorted(set(synset_of.values()) - set(label_of))]
  if problems:
    raise DataError(f'{path} does not match {folder}: {listed(problems, _MAX_PROBLEMS, "; ")}.')
  return names, [label_of[synset_of[name]] for name in names]


def _read_list(path: pathlib.Path, names: list[str], synsets: tuple[str, ...]) -> dict[str, str]:
  """Reads a list of validation labels; returns the synset of each file name."""
  lines = [line for line in _read_lines(path) if line.strip()]
  if path.suffix == '.csv':
    try:
      rows = csv.DictReader(lines)
      return {f'{row["ImageId"]}.JPEG': row['PredictionString'].split()[0] for row in rows}
    except (csv.Error, KeyError, AttributeError, IndexError) as error:
      raise DataError(
        f'{path}: expected ImageId,PredictionString and a line for each image: {error}.'
      ) from error
  fields = [line.split() for line in lines]
  if all(len(row) == 1 for row in fields):
    if len(fields) != len(names):
      raise DataError(
        f'{path} has {counted(len(fields), "line")} for {counted(len(names), "file")}.'
      )
    return dict(zip(names, (row[0] for row in fields), strict=True))
  wrong = [line for line, row in zip(lines, fields, strict=True) if len(row) != 2]
  if wrong:
    raise DataError(f'{path}: expected a file and its class on each line, got {wrong[0]!r}.')
  return {name: _synset(path, value, synsets) for name, value in fields}


def _read_lines(path: pathlib.Path) -> list[str]:
  try:
    return path.read_text(encoding='utf-8').splitlines()
  except UnicodeDecodeError as error:
    raise DataError(f'{path} is not UTF-8 text: {error}.') from error


def _synset(path: pathlib.Path, value: str, synsets: tuple[str, ...]) -> str:
  if not value.isdecimal():
    return value
  # The length first: Python refuses to read more than 4,300 digits.
  if len(value) > _MOST_DIGITS or int(value) >= len(synsets):
    raise DataError(
      f'{path}: class {value[:50]} occurs, but there are only '
      f'{counted(len(synsets), "synset folder")}.'
    )
  return synsets[int(value)]


def _with_words(root: pathlib.Path, synsets: tuple[str, ...]) -> tuple[str, ...]:
  path = next((root / name for name in _WORDS_FILES if (root / name).is_file()), None)
  if path is None:
    return synsets
  lines = _read_lines(path)
  words = {line.split(' ', 1)[0]: line.strip() for line in lines}
  return tuple(words.get(synset, synset) for synset in synsets)
