"""Outputs of commands, which are checked and opened before the work starts. No TensorFlow."""

import collections
import contextlib
import fcntl
import os
import pathlib
import re
import sys
import tempfile
import types
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import BinaryIO

from vgg_slim import files
from vgg_slim.errors import OutputError

DRAWINGS = ('.png', '.pdf', '.svg')  # file suffixes of figures

Flags = Mapping[str, str | None]
_DESCRIPTORS = re.compile(r'/dev/fd|/proc/\d+(/task/\d+)?/fd')  # folders, without links
_MOST_LINKS = 40  # one after the other, as in Linux
_NONE: Flags = types.MappingProxyType({})


def check_outputs(files: Flags = _NONE, folders: Flags = _NONE, made: Flags = _NONE) -> None:
  """Checks that all outputs of a command can be written, without writing anything.

  Args:
    files: paths of files by flag, such as {'--output': 'answers.csv'}; None for flags that are not
      given. The folder of a file must exist, so that a mistyped path does not become a new folder.
    folders: folders that are written to, and created with their parents if missing.
    made: new folders, or prefixes of checkpoints, whose parents are created if missing.

  Raises:
    OutputError: an output cannot be written, or flags name the same path; lists all of them.
  """
  kinds = ((files, _file_problem), (folders, _folder_problem), (made, _parent_problem))
  problems = [
    f'{flag}={path}: {problem}'
    for flags, find_problem in kinds
    for flag, path in flags.items()
    if path and (problem := find_problem(path))
  ]
  problems += _shared_paths({**files, **folders, **made})
  if problems:
    raise OutputError(f'{"; ".join(problems)}.')


def check_inputs_stay(inputs: Iterable[str], files: Flags = _NONE, folders: Flags = _NONE) -> None:
  """Checks that no output replaces an input, or is written beside one as if it were another.

  Args:
    inputs: paths of files that are read.
    files: paths of files by flag, see `check_outputs`; none may be an input, also by a link.
    folders: folders by flag to which files are written; none may have an input in it.

  Raises:
    OutputError: lists all flags that name such a file or folder.
  """
  if not any((*files.values(), *folders.values())):
    return
  named = [name for name in inputs if '\0' not in name]  # such a name has no file
  paths, by_folder = {os.path.realpath(name) for name in named}, _by_folder(named)
  problems = [
    f'{flag}={path} is an input'
    for flag, path in files.items()
    if path and not _is_special(path) and os.path.realpath(path) in paths
  ]
  problems += [
    f'{flag}={path} is the folder of the input {found}'
    for flag, path in folders.items()
    if path and (found := by_folder.get(os.path.realpath(path)))
  ]
  if problems:
    raise OutputError(f'{"; ".join(problems)}: give other paths, so that no input is replaced.')


@contextlib.contextmanager
def open_outputs(files: Flags, folders: Flags = _NONE) -> Iterator[dict[str, BinaryIO]]:
  """Opens all output files of a command before the work, so that no result is lost.

  The complete files appear when the block ends without an error; otherwise none of them does.
  Pipes, devices and open descriptors such as /dev/stdout are written directly.

  Args:
    files: paths by flag, see `check_outputs`.
    folders: folders by flag, which are only checked.

  Yields:
    Streams by flag, for the flags that are given.

  Raises:
    OutputError: see `check_outputs`.
  """
  check_outputs(files, folders)
  with contextlib.ExitStack() as stack:
    yield {flag: stack.enter_context(_open(path)) for flag, path in files.items() if path}


def write_text(path: str, text: str) -> None:
  """Writes text in UTF-8 to an output that `check_outputs` has checked."""
  with _open(path) as stream:
    stream.write(text.encode())


def check_suffix(flag: str, path: str, allowed: Collection[str], direct: str = '') -> str:
  """Returns the suffix of `path` in lower case, such as '.png'.

  Args:
    flag: flag that gives the path.
    path: path of the output.
    allowed: suffixes to choose from.
    direct: what a pipe or a device whose name has none of them stands for, if anything.

  Raises:
    OutputError: the suffix is not one of `allowed`.
  """
  suffix = pathlib.Path(path).suffix.lower()
  if suffix not in allowed:
    if direct and _is_special(path):
      return direct
    raise OutputError(f'{flag}={path} must end in {" or ".join(allowed)}.')
  return suffix


def _open(path: str) -> contextlib.AbstractContextManager[BinaryIO]:
  if descriptor := _descriptor(path):
    return _open_descriptor(descriptor)
  target = pathlib.Path(os.path.realpath(path))  # so that a symbolic link stays one
  if target.exists() and not target.is_file():
    return files.open_special(target)
  return files.open_atomic(target)


def _descriptor(path: str) -> str | None:
  """Follows links to the path of an open descriptor, such as /proc/7/fd/1; None for other paths.

  What it leads to has no name, if it is a pipe, or must not be replaced: it is open elsewhere.
  """
  for _ in range(_MOST_LINKS):
    folder, name = os.path.split(path)
    folder = os.path.realpath(folder)
    path = os.path.join(folder, name)
    if name.isdecimal() and _DESCRIPTORS.fullmatch(folder):
      return path
    if not os.path.islink(path):
      return None
    path = os.path.join(folder, os.readlink(path))
  return None


def _own_number(descriptor: str) -> int | None:
  """The number of a descriptor of this process; None for one of another."""
  folder, number = os.path.split(descriptor)
  is_own = folder in ('/dev/fd', os.path.realpath('/proc/self/fd'))
  return int(number) if is_own else None


def _open_descriptor(descriptor: str) -> BinaryIO:
  number = _own_number(descriptor)
  if number is None:
    return open(descriptor, 'ab')
  sys.stdout.flush()  # what was printed before comes first
  return os.fdopen(os.dup(number), 'wb')  # to open the path again would begin at its start


def _descriptor_problem(descriptor: str) -> str | None:
  number = _own_number(descriptor)
  if number is None:
    return None if os.access(descriptor, os.W_OK) else 'is not open, or write-protected'
  try:
    mode = fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE
  except OSError:
    return 'is not open'
  return 'is open for reading only' if mode == os.O_RDONLY else None


def _file_problem(path: str) -> str | None:
  target = pathlib.Path(os.path.realpath(path))  # a link to a new file is followed
  if path.endswith(os.sep) or os.path.isdir(path):
    return 'is a folder; expected a file'
  if descriptor := _descriptor(path):
    return _descriptor_problem(descriptor)
  if target.is_symlink():
    return files.dead_link(path)
  if not target.parent.is_dir():
    parent = target.parent if os.path.islink(path) else pathlib.Path(path).parent
    return files.dead_link(parent) or f'there is no folder {parent}'
  if os.path.exists(path) and not os.access(path, os.W_OK):
    return 'is write-protected'
  return None if _is_special(path) else _writing_problem(target.parent)


def _folder_problem(path: str) -> str | None:
  return files.dead_link(path) or _writing_problem(
    next(p for p in (pathlib.Path(path), *_parents(path)) if p.exists())
  )


def _parent_problem(path: str) -> str | None:
  return files.dead_link(path) or _writing_problem(
    next(parent for parent in _parents(path) if parent.exists())
  )


def _parents(path: str) -> list[pathlib.Path]:
  return [*pathlib.Path(path).parents, pathlib.Path('.')]


def _is_special(path: str) -> bool:
  return bool(_descriptor(path)) or (os.path.exists(path) and not os.path.isfile(path))


def _writing_problem(folder: pathlib.Path) -> str | None:
  if not folder.is_dir():
    return f'{folder} is not a folder'
  try:
    tempfile.TemporaryFile(dir=folder).close()
  except OSError as error:
    return f'{folder} cannot be written to ({error.strerror})'
  return None


def _by_folder(inputs: Iterable[str]) -> dict[str, str]:
  """Returns an input for each of their folders, without links."""
  found: dict[str, str] = {}
  for name in inputs:
    found.setdefault(os.path.realpath(os.path.dirname(name)), name)
    found.setdefault(os.path.dirname(os.path.realpath(name)), name)  # of what a link leads to
  return found


def _shared_paths(flags: Flags) -> list[str]:
  by_path = collections.defaultdict(list)
  for flag, path in flags.items():
    if path and not _is_special(path):
      by_path[os.path.realpath(path)].append(flag)
  return [
    f'{" and ".join(names)} name the same path {path}'
    for path, names in by_path.items()
    if len(names) > 1
  ]
