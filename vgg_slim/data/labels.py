"""The label file: one line `id:name` per class, with ids 0, 1, 2, ... No TensorFlow."""

import collections
import pathlib
from collections.abc import Sequence

from vgg_slim import files
from vgg_slim.errors import DataError
from vgg_slim.wording import counted, printable

LABELS_FILE = 'labels.txt'
_LONGEST = 1000  # characters of a name; folders on all common file systems have at most 255


def check_class_names(class_names: Sequence[str]) -> None:
  """Raises DataError that lists every name that a label file cannot hold."""
  problems = []
  for name in class_names:
    if len(name.splitlines()) != 1:
      problems.append(f'{name[:_LONGEST]!r} is empty or has a line break')
    elif len(name) > _LONGEST:
      problems.append(f'{name[:20]!r}... has {len(name)} characters, more than {_LONGEST}')
    elif not files.is_utf8(name):
      problems.append(f'{name!r} is not UTF-8')
    elif printable(untabbed := name.replace('\t', ' ')) != untabbed:  # a tab controls nothing
      problems.append(f'{name!r} has characters that control a terminal')
  problems += [f'{name!r} occurs more than once' for name in _repeated(class_names)]
  if problems:
    raise DataError(f'Class names that cannot be used: {"; ".join(problems)}.')


def write_labels(path: pathlib.Path, class_names: Sequence[str]) -> None:
  """Writes the label file in UTF-8.

  Raises:
    DataError: a name is empty, repeated or not UTF-8, or contains a line break.
  """
  check_class_names(class_names)
  lines = [f'{label}:{name}\n' for label, name in enumerate(class_names)]
  files.write_text(path, ''.join(lines))


def read_labels(path: pathlib.Path) -> tuple[str, ...]:
  """Reads a label file; element i is the name of the class with label i.

  Raises:
    DataError: the file cannot be read, or a line is not `id:name` with the next id.
  """
  try:
    lines = path.read_text(encoding='utf-8').split('\n')
  except (OSError, UnicodeDecodeError) as error:
    raise DataError(f'{path} cannot be read: {error}') from error
  if lines[-1] == '':
    lines.pop()
  names = []
  for label, line in enumerate(lines):
    prefix = f'{label}:'
    if not line.startswith(prefix) or len(line) == len(prefix):
      raise DataError(f'{path}, line {label + 1}: expected {prefix}NAME, got {line!r}.')
    names.append(line[len(prefix) :])
  return tuple(names)


def read_class_list(path: pathlib.Path) -> tuple[str, ...]:
  """Reads class names in the order of their labels, one per line or from a label file.

  Raises:
    DataError: the file cannot be read, has fewer than two names, or has a name that a label file
      cannot hold.
  """
  try:
    lines = path.read_text(encoding='utf-8-sig').splitlines()
  except (OSError, UnicodeDecodeError) as error:
    raise DataError(f'{path} cannot be read: {error}') from error
  if lines and all(line.startswith(f'{label}:') for label, line in enumerate(lines)):
    return read_labels(path)
  if len(lines) < 2:
    raise DataError(f'{path} must name at least two classes, one per line; it has {len(lines)}.')
  try:
    check_class_names(lines)
  except DataError as error:
    raise DataError(f'{path}: {error}') from error
  return tuple(lines)


def check_labels(path: pathlib.Path, class_names: Sequence[str]) -> None:
  """Raises DataError that names the lines of `path` that differ from `class_names`."""
  names = read_labels(path)
  problems = [
    f'line {label + 1} is {got!r}, expected {expected!r}'
    for label, (got, expected) in enumerate(zip(names, class_names, strict=False))
    if got != expected
  ]
  if len(names) != len(class_names):
    problems.append(f'it has {counted(len(names), "line")}, expected {len(class_names)}')
  if problems:
    raise DataError(f'{path} disagrees with the manifest: {"; ".join(problems)}.')


def _repeated(names: Sequence[str]) -> list[str]:
  return sorted(name for name, count in collections.Counter(names).items() if count > 1)
