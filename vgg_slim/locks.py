"""Locks that let one process at a time write to a folder.

    with locks.hold('runs/photos'):
      ...

The operating system holds the lock (flock) and releases it when the process ends, however it ends.
"""

import contextlib
import datetime
import fcntl
import os
import pathlib
import shutil
import socket
from collections.abc import Callable, Iterator

from vgg_slim import files
from vgg_slim.errors import FolderInUseError, OutputError

SCRATCH = 'scratch'  # in a folder that `scratch_folder` holds
LOCK_FILE = '.lock'  # in the folder; describes the process that holds it


@contextlib.contextmanager
def hold(folder: str | os.PathLike, name: str | None = None) -> Iterator[pathlib.Path]:
  """Prevents other processes from holding `folder` within the block; yields its path.

  The folder and its parents are created. Those that are empty after the block are removed again.

  Args:
    folder: folder to lock.
    name: name for what is written there, used in messages; the folder by default.

  Raises:
    FolderInUseError: another process holds the folder; the message names it.
    OutputError: the folder cannot be created or written to.
  """
  path = pathlib.Path(folder)
  made = [one for one in (path, *path.parents) if not one.exists()]
  descriptor = None
  try:
    while descriptor is None:
      path.mkdir(parents=True, exist_ok=True)
      descriptor = _try_to_lock(path, name or str(path))
  except OSError as error:
    why = files.dead_link(path) or error.strerror
    raise OutputError(f'{name or path} cannot be written: {why}.') from error
  try:
    try:
      os.truncate(descriptor, 0)
      os.pwrite(descriptor, _describe_this_process().encode(), 0)
    except OSError as error:
      raise OutputError(f'{name or path} cannot be written: {error.strerror}.') from error
    yield path
  finally:
    (path / LOCK_FILE).unlink(missing_ok=True)
    os.close(descriptor)
    with contextlib.suppress(OSError):  # not empty
      for one in made:
        one.rmdir()


@contextlib.contextmanager
def scratch_folder(
  held: str | os.PathLike, name: str | None = None, prepare: Callable[[], None] | None = None
) -> Iterator[pathlib.Path]:
  """Yields an empty folder in `held` for the use of one process at a time; removes both at the end.

  Files that a killed process left there are removed. Arguments and errors are those of `hold`;
  `prepare` is called before that, when `held` is locked.
  """
  scratch = pathlib.Path(held, SCRATCH)
  try:
    with hold(held, name):
      if prepare:
        prepare()
      shutil.rmtree(scratch, ignore_errors=True)
      scratch.mkdir()
      try:
        yield scratch
      finally:
        shutil.rmtree(scratch, ignore_errors=True)
  finally:
    with contextlib.suppress(OSError):  # another process already uses it
      scratch.parent.rmdir()


def _try_to_lock(folder: pathlib.Path, name: str) -> int | None:
  """Returns a descriptor that holds the lock until closed; None if the lock file was removed.

  Raises:
    FolderInUseError: another process holds the lock.
  """
  path = folder / LOCK_FILE
  try:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
  except FileNotFoundError:  # the folder was removed
    return None
  try:
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    if os.path.samestat(os.fstat(descriptor), path.stat()):
      return descriptor
  except BlockingIOError:
    holder = os.pread(descriptor, 1000, 0).decode(errors='replace') or 'another process'
    os.close(descriptor)
    raise FolderInUseError(
      f'{name} is in use by {holder}. Wait until it has ended, or give another name.'
    ) from None
  except FileNotFoundError:
    pass
  os.close(descriptor)
  return None


def _describe_this_process() -> str:
  now = datetime.datetime.now().astimezone().isoformat(' ', 'seconds')
  return f'process {os.getpid()} on {socket.gethostname()} since {now}'
