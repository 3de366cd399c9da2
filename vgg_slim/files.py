"""Files and folders that are either complete or absent, even after a power failure."""

import contextlib
import fcntl
import glob
import os
import pathlib
import shutil
import uuid
from collections.abc import Iterator
from typing import BinaryIO

_TEMPORARY = '.tmp'
_LONGEST_NAME = 255  # bytes, on all common file systems


def is_name(text: str) -> bool:
  """Whether a file in a folder can have this name, so that it leads out of no folder."""
  try:
    encoded = os.fsencode(text)
  except UnicodeEncodeError:
    return False
  is_special = text in ('', '.', '..') or '/' in text or '\0' in text
  return not is_special and len(encoded) <= _LONGEST_NAME


def write_text(path: pathlib.Path, text: str) -> None:
  """Writes `text` to `path` in UTF-8, through a temporary file in the same folder."""
  with open_atomic(path) as stream:
    stream.write(text.encode())


@contextlib.contextmanager
def open_atomic(path: pathlib.Path) -> Iterator[BinaryIO]:
  """Yields a stream to a temporary file, which replaces `path` unless the block raises an error.

  After the block, the content and then the name have been flushed to disk.
  """
  temporary = path.with_name(f'.{path.name}.{uuid.uuid4().hex}{_TEMPORARY}')
  try:
    with temporary.open('xb') as stream:
      yield stream
      stream.flush()
      os.fsync(stream.fileno())
    temporary.replace(path)
    sync(path.parent)
  finally:
    temporary.unlink(missing_ok=True)


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
    if path.exists():
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


def _lock(folder: pathlib.Path, how: int) -> int | None:
  """Returns a descriptor that holds the lock until closed; None if locked, or renamed meanwhile."""
  try:
    descriptor = os.open(folder, os.O_RDONLY)
  except FileNotFoundError:
    return None
  try:
    fcntl.flock(descriptor, how)
    if os.path.samestat(os.fstat(descriptor), os.stat(folder)):
      return descriptor
  except (BlockingIOError, FileNotFoundError):
    pass
  os.close(descriptor)
  return None


def _remove_abandoned(path: pathlib.Path, staging: pathlib.Path) -> None:
  for other in path.parent.glob(f'.{glob.escape(path.name)}.*.partial'):
    lock = None if other == staging else _lock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    if lock is not None:
      shutil.rmtree(other, ignore_errors=True)
      os.close(lock)
