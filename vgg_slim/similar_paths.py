"""Paths like one that does not exist, for messages. No TensorFlow."""

import difflib
import itertools
import os
import pathlib
from collections.abc import Iterator

_SIMILARITY = 0.7  # of difflib; pet and pets have 0.86, photo and photos_small 0.59
_MOST_ENTRIES = 10_000  # that are looked at: a message must not take minutes


def suggest(path: str | pathlib.Path, only_folders: bool = False) -> str:
  """Returns a sentence that names a path like `path`, which does not exist; '' if there is none.

  Args:
    path: path that was given.
    only_folders: whether nothing but a folder can have been meant; `path` may then be a file.
  """
  found = _find(os.path.normpath(path), only_folders)
  return f' Did you mean {found}?' if found else ''


def visible_entries(folder: str | pathlib.Path) -> Iterator[os.DirEntry[str]]:
  """Yields what is in a folder and not hidden; nothing if it cannot be read."""
  try:
    with os.scandir(folder) as entries:
      visible = [e for e in itertools.islice(entries, _MOST_ENTRIES) if not e.name.startswith('.')]
  except OSError:
    return
  yield from visible


def _find(path: str, only_folders: bool) -> str | None:
  parent, name = os.path.split(path)
  if parent and not os.path.isdir(parent):
    parent = _find(parent, only_folders=True) or ''
    if not parent:
      return None
    found = os.path.join(parent, name)
    if os.path.isdir(found) or (os.path.exists(found) and not only_folders):
      return found
  entries = visible_entries(parent or os.curdir)
  is_meant = os.path.isdir if only_folders else os.path.exists
  names = sorted(entry.name for entry in entries if is_meant(entry.path))
  near = difflib.get_close_matches(name, names, n=1, cutoff=_SIMILARITY)
  return os.path.join(parent, near[0]) if near else None
