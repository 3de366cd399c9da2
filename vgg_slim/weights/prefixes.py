"""Where a checkpoint's files are; its name is what theirs have in common. No TensorFlow."""

import itertools
import os
import pathlib
import re
from collections.abc import Iterator

_STATE_FILE = 'checkpoint'  # in which TensorFlow lists the checkpoints of a folder
_NEWEST = re.compile(r'^model_checkpoint_path: "(.*)"$', re.MULTILINE)
_KEPT = re.compile(r'^all_model_checkpoint_paths: "(.*)"$', re.MULTILINE)
_V2_FILE = re.compile(r'\.(index|data-\d{5}-of-\d{5})$')


def find_prefix(path: str) -> str | None:
  """Returns the checkpoint, in format V2, that `path` means, or None.

  Args:
    path: a prefix, one of a checkpoint's files, or a folder, for its newest one.
  """
  if os.path.isdir(path):
    return newest(path)
  prefix = _V2_FILE.sub('', path)
  return prefix if _exists(prefix) else None


def newest(folder: str) -> str | None:
  """Prefix of the checkpoint that `folder` names as its newest; None if it is not there.

  `tf.train.latest_checkpoint`, but also for a folder that was moved after TensorFlow wrote its
  absolute path down.
  """
  return next(_listed(folder, _NEWEST), None)


def kept(folder: str) -> list[str]:
  """Prefixes of the checkpoints that `folder` lists and that are there, oldest first."""
  return list(_listed(folder, _KEPT))


def list_files(prefix: str) -> list[pathlib.Path]:
  """The files of a checkpoint, sorted: one for V1, index and data for V2."""
  path = pathlib.Path(prefix)
  if path.is_file():
    return [path]
  beside = path.parent.iterdir() if path.parent.is_dir() else ()
  return sorted(
    file
    for file in beside
    if file.name.startswith(path.name) and _V2_FILE.fullmatch(file.name[len(path.name) :])
  )


def _listed(folder: str, line: re.Pattern[str]) -> Iterator[str]:
  try:
    state = pathlib.Path(folder, _STATE_FILE).read_text(encoding='utf-8')
  except OSError:
    return
  for path in line.findall(state):
    in_folder = os.path.join(folder, os.path.basename(path))
    yield from itertools.islice(filter(_exists, (in_folder, os.path.join(folder, path))), 1)


def _exists(prefix: str) -> bool:
  return os.path.isfile(f'{prefix}.index')
