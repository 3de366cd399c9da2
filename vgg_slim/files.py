"""Files and folders that are either whole or not there."""

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


def write_text(path: pathlib.Path, text: str) -> None:
  """Writes UTF-8 `text` to `path` by way of a temporary file beside it."""
  with open_whole(path) as stream:
    stream.write(text.encode())


@contextlib.contextmanager
def open_whole(path: pathlib.Path) -> Iterator[BinaryIO]:
  """Yields a stream into a temporary file beside `path`, which it becomes without an error."""
  temporary = path.with_name(f'.{path.name}.{uuid.uuid4().hex}{_TEMPORARY}')
  try:
    with temporary.open('xb') as stream:
      yield stream
    temporary.replace(path)
  finally:
    temporary.unlink(missing_ok=True)


def remove_temporaries(folder: pathlib.Path) -> None:
  """Removes what `open_whole` has left in a folder where it was killed."""
  for path in folder.glob(f'.*{_TEMPORARY}'):
    path.unlink(missing_ok=True)


@contextlib.contextmanager
def resumable_folder(path: pathlib.Path, key: str) -> Iterator[pathlib.Path]:
  """Yields a folder that becomes `path` when the block ends without an error.

  After an error it is removed. After a kill or an interrupt it stays beside `path`, as
  `.NAME.KEY.partial`, and the next call with the same key yields it again, with what is in it;
  such folders of other keys are removed. A second process with the same key waits for the first.

  Args:
    path: what to make; its parents are made too.
    key: stands for everything that the content follows from; fit for a file name.

  Raises:
    FileExistsError: `path` exists, or another process was first to make it.
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
  except Exception:
    shutil.rmtree(staging, ignore_errors=True)
    raise
  finally:
    os.close(lock)


def _lock(folder: pathlib.Path, how: int) -> int | None:
  """Returns what to close to unlock; None if the folder is locked, or was renamed meanwhile."""
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
