"""Files and folders that are either complete or absent, even after a power failure."""

import contextlib
import fcntl
import functools
import glob
import io
import os
import pathlib
import shutil
import uuid
from collections.abc import Callable, Iterator
from typing import IO, Any, BinaryIO, cast

_TEMPORARY = '.tmp'
_RANDOM_PART = 32 * '[0-9a-f]'  # pattern for the name of a temporary file
_BUFFER_BYTES = 1 << 17
_LONGEST_NAME = 255  # bytes, on all common file systems


def is_name(text: str) -> bool:
  """Whether a file in a folder can have this name, so that it leads out of no folder."""
  try:
    encoded = os.fsencode(text)
  except UnicodeEncodeError:
    return False
  is_special = text in ('', '.', '..') or '/' in text or '\0' in text
  return not is_special and len(encoded) <= _LONGEST_NAME


def is_utf8(name: str) -> bool:
  """Whether a name can be encoded as UTF-8, which those of files need not be."""
  try:
    name.encode()
  except UnicodeEncodeError:
    return False
  return True


def utf8_problem(path: str) -> str | None:
  """Says that TensorFlow could not open a file of this name; None if it could."""
  if is_utf8(path):
    return None
  return 'the name is not UTF-8, which TensorFlow needs; rename it, or give another path'


def dead_link(path: str | os.PathLike) -> str | None:
  """Says that `path` or a folder above it is a link that leads nowhere; None if none is."""
  for one in (pathlib.Path(path), *pathlib.Path(path).parents):
    if one.is_symlink() and not one.exists():
      end = os.path.realpath(one)
      if os.path.islink(end):
        return f'{one} is a link that leads back to itself'
      return f'{one} is a link to {end}, which does not exist'
  return None


def open_special(path: pathlib.Path) -> BinaryIO:
  """Opens a pipe or a device, which cannot be replaced; an OSError in writing names it."""
  return cast(BinaryIO, io.BufferedWriter(_Writer(path, path, 'w'), _BUFFER_BYTES))


def write_text(path: pathlib.Path, text: str) -> None:
  """Writes `text` to `path` in UTF-8, through a temporary file in the same folder."""
  with open_atomic(path) as stream:
    stream.write(text.encode())


@contextlib.contextmanager
def open_atomic(path: pathlib.Path) -> Iterator[BinaryIO]:
  """Yields a stream to a temporary file, which replaces `path` unless the block raises an error.

  After the block, the content and then the name have been flushed to disk. An OSError in writing
  names `path`, whatever the name of the temporary file. Temporary files for the
  same path that killed processes left are removed; those of running processes are locked.
  """
  remove_unlocked(path.parent, f'.{glob.escape(path.name)}.{_RANDOM_PART}{_TEMPORARY}')
  with naming(path):
    temporary, stream = _open_temporary(path)
  try:
    with stream:
      yield stream
      with naming(path):
        stream.flush()
        os.fsync(stream.fileno())
        temporary.replace(path)
    sync(path.parent)
  finally:
    temporary.unlink(missing_ok=True)


class _Writer(io.FileIO):
  """An unbuffered file; an OSError in writing names a path of choice."""

  def __init__(self, path: pathlib.Path, named: pathlib.Path, mode: str = 'x') -> None:
    super().__init__(path, mode)
    self._named = named

  def write(self, data: Any) -> int:
    with naming(self._named):
      return super().write(data)


@contextlib.contextmanager
def naming(path: str | os.PathLike) -> Iterator[None]:
  """Has every OSError in the block name `path`; those of `write` alone name no file."""
  try:
    yield
  except OSError as error:
    error.filename = str(path)
    raise


def _open_temporary(path: pathlib.Path) -> tuple[pathlib.Path, BinaryIO]:
  """Creates a locked file; another process may remove it before it is locked, hence the loop."""
  while True:
    temporary = path.with_name(f'.{path.name}.{uuid.uuid4().hex}{_TEMPORARY}')
    stream = io.BufferedWriter(_Writer(temporary, path), _BUFFER_BYTES)
    try:
      lock(stream)
      if temporary.exists():
        return temporary, cast(BinaryIO, stream)
    except BaseException:
      temporary.unlink(missing_ok=True)
      stream.close()
      raise
    stream.close()


def lock(stream: IO[bytes]) -> None:
  """Keeps `remove_unlocked` of other processes from an open file until it is closed."""
  with contextlib.suppress(OSError):  # some file systems have no locks
    fcntl.flock(stream, fcntl.LOCK_EX)


def remove_unlocked(folder: pathlib.Path, pattern: str) -> None:
  """Removes the files in a folder that match a pattern and that no process has locked."""
  with contextlib.suppress(OSError):  # not ours to look into
    for path in folder.glob(pattern):
      _remove_if_unlocked(path, pathlib.Path.unlink)


def is_inside(path: str | pathlib.Path, folder: str | pathlib.Path) -> bool:
  """Whether a path, which need not exist, is a folder or in it, also by links."""
  return pathlib.Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def sync(path: pathlib.Path) -> None:
  """Flushes the content of a file, or the names in a folder, to disk."""
  descriptor = os.open(path, os.O_RDONLY)
  try:
    os.fsync(descriptor)
  finally:
    os.close(descriptor)


def remove_temporaries(folder: pathlib.Path) -> None:
  """Removes temporary files that `open_atomic` left in a folder when it was killed."""
  for path in folder.glob(f'.*{_TEMPORARY}'):
    path.unlink(missing_ok=True)


@contextlib.contextmanager
def resumable_folder(
  path: pathlib.Path, key: str, mistakes: tuple[type[Exception], ...] = ()
) -> Iterator[pathlib.Path]:
  """Yields a folder that becomes `path` when the block ends without an error.

  After an error, an interrupt or a kill, the folder stays next to `path` as `.NAME.KEY.partial`,
  unless it is empty, and the next call with the same key yields it again, with its content. Such
  folders of other keys are removed. A second process with the same key waits for the first.

  Args:
    path: folder to create, together with its parents.
    key: identifier of everything that determines the content; valid in a file name.
    mistakes: errors that would occur again with the same key; after these the folder is removed.

  Raises:
    FileExistsError: `path` exists, or another process created it first.
  """
  staging = path.with_name(f'.{path.name}.{key}.partial')
  lock = None
  while lock is None:
    if os.path.lexists(path):  # a link that leads nowhere, too
      raise FileExistsError(path)
    staging.mkdir(parents=True, exist_ok=True)
    lock = _lock(staging, fcntl.LOCK_EX)
  try:
    _remove_abandoned(path, staging)
    yield staging
    staging.rename(path)
  except mistakes:
    shutil.rmtree(staging, ignore_errors=True)
    raise
  finally:
    with contextlib.suppress(OSError):  # renamed, or not empty
      staging.rmdir()
    os.close(lock)


def _lock(path: pathlib.Path, how: int) -> int | None:
  """Returns a descriptor that holds the lock until closed; None if locked, or renamed meanwhile."""
  try:
    descriptor = os.open(path, os.O_RDONLY)
  except FileNotFoundError:
    return None
  try:
    fcntl.flock(descriptor, how)
    if os.path.samestat(os.fstat(descriptor), os.stat(path)):
      return descriptor
  except (BlockingIOError, FileNotFoundError):
    pass
  os.close(descriptor)
  return None


def _remove_abandoned(path: pathlib.Path, staging: pathlib.Path) -> None:
  for other in path.parent.glob(f'.{glob.escape(path.name)}.*.partial'):
    if other != staging:
      _remove_if_unlocked(other, functools.partial(shutil.rmtree, ignore_errors=True))


def _remove_if_unlocked(path: pathlib.Path, remove: Callable[[pathlib.Path], None]) -> None:
  """Removes a file or folder unless a process holds it, or another process removes it."""
  with contextlib.suppress(OSError):  # not ours to read or to remove
    lock = _lock(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
    if lock is not None:
      try:
        remove(path)
      finally:
        os.close(lock)
