"""A text file that lists pictures and their labels. No TensorFlow."""

import collections
import csv
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

from vgg_slim.data.labels import check_class_names
from vgg_slim.data.sources.labeled_images import FileImages, Source, state_of_files
from vgg_slim.errors import DataError

# What the columns may be called; without a header they are path, label and perhaps split.
_COLUMNS = {
  'path': ('path', 'file', 'filename', 'file_name', 'filepath', 'image', 'image_path'),
  'label': ('label', 'class', 'class_name', 'category', 'target'),
  'split': ('split', 'set', 'subset'),
}
SPLITS = {
  '': 'train',
  'train': 'train',
  'training': 'train',
  'val': 'validation',
  'valid': 'validation',
  'validation': 'validation',
  'test': 'test',
}
_PROBLEMS_NAMED = 10


class _Row(NamedTuple):
  """One line of the list; `number` counts from 1."""

  number: int
  path: str
  label: str
  split: str


def open_list(path: pathlib.Path) -> Source:
  """Opens a list: `path,label` or `path,label,split` a line, with or without a header.

  Fields are parted by commas, tabs, or the last blank of a line, whichever the first line has.
  Paths are relative to the list's folder. Labels that are all whole numbers are sorted as such.

  Raises:
    DataError: not such a list; lines are named.
    OSError: it cannot be read.
  """
  rows = _read_rows(path)
  labels = {row.label for row in rows}
  class_names = tuple(sorted(labels, key=int if all(map(str.isdecimal, labels)) else None))
  if len(class_names) < 2:
    raise DataError(f'{path} must have at least two classes, it has {", ".join(class_names)}.')
  check_class_names(class_names)
  place = {name: label for label, name in enumerate(class_names)}
  root = path.parent
  splits = {}
  for split in ('train', 'validation', 'test'):
    chosen = [row for row in rows if SPLITS[row.split] == split]
    if chosen:
      splits[split] = FileImages(root, [r.path for r in chosen], [place[r.label] for r in chosen])
  if 'train' not in splits:
    raise DataError(f'{path} has no line of the train split.')
  state = state_of_files([path, *(root / row.path for row in rows)])
  return Source('list', class_names, splits, mirror_safe=True, state=state)


def _read_rows(path: pathlib.Path) -> list[_Row]:
  try:
    lines = path.read_text(encoding='utf-8-sig').splitlines()
  except UnicodeDecodeError as error:
    raise DataError(f'{path} is no UTF-8 text: {error}.') from error
  numbered = [(n, fields) for n, fields in enumerate(_split(lines), start=1) if fields]
  if not numbered:
    raise DataError(f'{path} has no lines.')
  columns = _header(numbered[0][1])
  if columns is None:
    columns = {'path': 0, 'label': 1, 'split': 2}
  else:
    del numbered[0]
  rows, problems = [], []
  for number, fields in numbered:
    values = {name: fields[i].strip() if i < len(fields) else '' for name, i in columns.items()}
    row = _Row(number, values['path'], values['label'], values.get('split', '').lower())
    if not row.path or not row.label:
      problems.append(f'line {number} needs a path and a label')
    elif row.split not in SPLITS:
      problems.append(f'line {number} has the split {row.split!r}')
    rows.append(row)
  problems += _repeated(rows)
  if problems:
    more = len(problems) - _PROBLEMS_NAMED
    named = '; '.join(problems[:_PROBLEMS_NAMED]) + (f'; and {more} more' if more > 0 else '')
    raise DataError(f'{path}: {named}. Splits are {", ".join(filter(None, SPLITS))}.')
  return rows


def _split(lines: Sequence[str]) -> list[list[str]]:
  first = next(filter(str.strip, lines), '')
  for delimiter in ',\t':
    if delimiter in first:
      return [list(row) for row in csv.reader(lines, delimiter=delimiter)]
  return [line.rsplit(None, 1) for line in lines]


def _header(fields: Sequence[str]) -> dict[str, int] | None:
  """Places of the columns if these fields name them."""
  names = [field.strip().lower() for field in fields]
  columns = {
    column: names.index(name)
    for column, candidates in _COLUMNS.items()
    for name in candidates
    if name in names
  }
  return columns if {'path', 'label'} <= set(columns) else None


def _repeated(rows: Sequence[_Row]) -> list[str]:
  counts = collections.Counter((SPLITS.get(row.split), row.path) for row in rows)
  return [f'{path} comes {count} times' for (_, path), count in counts.items() if count > 1]
