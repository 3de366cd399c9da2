"""A text file that lists images and their labels. No TensorFlow."""

import collections
import csv
import functools
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

from vgg_slim.data.labels import check_class_names
from vgg_slim.data.sources import image_files, split_names
from vgg_slim.data.sources.labeled_images import FileImages, Source, fingerprint_files
from vgg_slim.errors import DataError
from vgg_slim.wording import counted, listed

# Accepted names of the columns; without a header they are path, label and optionally split.
_COLUMNS = {
  'path': ('path', 'file', 'filename', 'file_name', 'filepath', 'image', 'image_path'),
  'label': ('label', 'class', 'class_name', 'category', 'target'),
  'split': ('split', 'set', 'subset'),
}
_MAX_PROBLEMS = 10  # in one message


class _Row(NamedTuple):
  """One line of the list; `number` counts from 1."""

  number: int
  path: str
  label: str
  split: str


def open_list(path: pathlib.Path) -> Source:
  """Opens a list with `path,label` or `path,label,split` per line, with or without a header.

  Fields are separated by commas, by tabs, or by the last whitespace of a line, whichever of these
  the first line contains. Paths are relative to the list's folder; a file that is not there is
  looked for by its name, with or without extension, in the folders below. A first line whose file
  does not exist, although that of the second does, is a header. If all labels are integers they are
  sorted as integers.

  Raises:
    DataError: the file is not such a list; names the lines.
    OSError: the file cannot be read.
  """
  files = _Files(path.parent)
  notes: list[str] = []
  rows = _read_rows(path, files, notes)
  moved = [(row.path, files.find(row.path)) for row in rows]
  rows = [row._replace(path=name) for row, (_, name) in zip(rows, moved, strict=True)]
  if moved := [pair for pair in moved if pair[0] != pair[1]]:
    first, name = moved[0]
    notes.append(f'{counted(len(moved), "file")} found by name, such as {first} as {name}.')
  labels = {row.label for row in rows}
  try:
    check_class_names(sorted(labels))
  except DataError as error:
    raise DataError(f'{path}: {error}') from error
  class_names = tuple(sorted(labels, key=int if all(map(str.isdecimal, labels)) else None))
  if len(class_names) < 2:
    raise DataError(f'{path} must contain at least two classes, found {", ".join(class_names)}.')
  label_of = {name: label for label, name in enumerate(class_names)}
  root = path.parent
  splits = {}
  for split in split_names.SPLITS:
    selected = [row for row in rows if _split_of(row) == split]
    if selected:
      paths = [row.path for row in selected]
      splits[split] = FileImages(root, paths, [label_of[row.label] for row in selected])
  if 'train' not in splits:
    raise DataError(f'{path} has no lines for the train split.')
  fingerprint = fingerprint_files([path, *(root / row.path for row in rows)])
  return Source(
    'list', class_names, splits, mirror_safe=True, fingerprint=fingerprint, notes=tuple(notes)
  )


class _Files:
  """The files of a list: at their paths, or found by name below its folder."""

  def __init__(self, root: pathlib.Path):
    self._root = root

  def exists(self, path: str) -> bool:
    return (self._root / self.find(path)).exists()

  def find(self, path: str) -> str:
    """Returns the path of a file; `path` itself unless there is exactly one other to mean."""
    if (self._root / path).exists():
      return path
    path_or_name = path.replace('\\', '/')
    if (self._root / path_or_name).is_file():
      return path_or_name
    names = self._by_name.get(path_or_name.rsplit('/', 1)[-1], [])
    ends = [name for name in names if f'/{name}'.rsplit('.', 1)[0].endswith(f'/{path_or_name}')]
    candidates = ends or names
    return candidates[0] if len(candidates) == 1 else path

  @functools.cached_property
  def _by_name(self) -> dict[str, list[str]]:
    """Paths of the images by name, with and without extension."""
    by_name: dict[str, list[str]] = {}
    for path in image_files.list_tree(self._root).images:
      name = path.rsplit('/', 1)[-1]
      for key in {name, name.rsplit('.', 1)[0]}:
        by_name.setdefault(key, []).append(path)
    return by_name


def _read_rows(path: pathlib.Path, files: _Files, notes: list[str]) -> list[_Row]:
  try:
    lines = path.read_text(encoding='utf-8-sig').splitlines()
  except UnicodeDecodeError as error:
    raise DataError(f'{path} is not UTF-8 text: {error}.') from error
  try:
    numbered = [(n, fields) for n, fields in enumerate(_split(lines), start=1) if fields]
  except csv.Error as error:
    raise DataError(f'{path} is not a list of images: {error}.') from error
  if not numbered:
    raise DataError(f'{path} has no lines.')
  columns = _header(numbered[0][1])
  if columns is None:
    columns = {'path': 0, 'label': 1, 'split': 2}
    if _is_header(numbered, files):
      notes.append(f'The first line, {",".join(numbered[0][1])}, is taken for a header.')
      del numbered[0]
  else:
    del numbered[0]
  rows, problems = [], []
  for number, fields in numbered:
    values = {name: fields[i].strip() if i < len(fields) else '' for name, i in columns.items()}
    row = _Row(number, values['path'], values['label'], values.get('split', ''))
    if not row.path or not row.label:
      problems.append(f'line {number} needs a path and a label')
    elif '\0' in row.path:
      problems.append(f'line {number} has a path with a zero byte')
    elif _split_of(row) is None:
      problems.append(
        f'line {number} has the unknown split {row.split!r}, expected {split_names.EXAMPLES}'
      )
    rows.append(row)
  problems += _repeated(rows)
  if problems:
    raise DataError(f'{path}: {listed(problems, _MAX_PROBLEMS, "; ")}.')
  return rows


def _split_of(row: _Row) -> str | None:
  return split_names.split_of(row.split) if row.split else 'train'


def _split(lines: Sequence[str]) -> list[list[str]]:
  first = next(filter(str.strip, lines), '')
  for delimiter in ',\t':
    if delimiter in first:
      return [list(row) for row in csv.reader(lines, delimiter=delimiter)]
  return [line.rsplit(None, 1) for line in lines]


def _header(fields: Sequence[str]) -> dict[str, int] | None:
  """Returns the index of each column if the fields are a header, else None."""
  names = [field.strip().lower() for field in fields]
  columns = {
    column: names.index(name)
    for column, candidates in _COLUMNS.items()
    for name in candidates
    if name in names
  }
  return columns if {'path', 'label'} <= set(columns) else None


def _is_header(numbered: Sequence[tuple[int, Sequence[str]]], files: _Files) -> bool:
  first, second = (fields[0].strip() for _, fields in (*numbered[:2], *[(0, [''])] * 2)[:2])
  return bool(second) and files.exists(second) and not files.exists(first)


def _repeated(rows: Sequence[_Row]) -> list[str]:
  counts = collections.Counter((_split_of(row), row.path) for row in rows)
  return [
    f'{path} is listed {counted(count, "time")}' for (_, path), count in counts.items() if count > 1
  ]
