"""Where the files of a checkpoint are, and which checkpoints a folder holds. No TensorFlow.

A prefix is what the names of a checkpoint's files have in common. A folder of a run lists its
checkpoints in a state file, in TensorFlow's format, by their names alone: the folder can be copied
or moved. Nothing outside the folder is looked at, whatever the state file says.
"""

import os
import pathlib
import re

from vgg_slim import files

RUN_NAME = 'model.ckpt'  # the checkpoints of a run are RUN_NAME-STEP
STATE_FILE = 'checkpoint'
_NEWEST = re.compile(r'^model_checkpoint_path: "(.*)"$', re.MULTILINE)
_LISTED = re.compile(r'^all_model_checkpoint_paths: "(.*)"$', re.MULTILINE)
_V2_FILE = re.compile(r'\.(index|data-\d{5}-of-\d{5})$')
_RUN_FILE = re.compile(rf'({re.escape(RUN_NAME)}-\d+)\.(index|json|data-\d{{5}}-of-\d{{5}})')
_TENSORFLOWS_TEMPORARY = '*.tempstate*'


def find_prefix(path: str) -> str | None:
  """Returns the checkpoint, in format V2, that `path` means, or None.

  Args:
    path: a prefix, one of a checkpoint's files, or a folder, for its newest checkpoint by name;
      `checkpoints.find` looks for the newest one that is whole.
  """
  if os.path.isdir(path):
    return next(filter(_exists, list_candidates(path)), None)
  prefix = _V2_FILE.sub('', path)
  return prefix if _exists(prefix) else None


def list_candidates(folder: str) -> list[str]:
  """Prefixes of the checkpoints in a folder, newest first, some of which may be damaged.

  These are the checkpoints that the state file lists, as far as the folder has any of their files,
  and all others of the run that have an index, which TensorFlow writes last.
  """
  listed, found = read_state(folder), _run_files(folder)
  names = dict.fromkeys(name for name in listed if list_files(os.path.join(folder, name)))
  names.update(dict.fromkeys(name for name, kinds in found.items() if 'index' in kinds))
  # Names without a step keep the order of the state file, whose last name is the newest.
  return [os.path.join(folder, name) for name in reversed(sorted(names, key=_step))]


def kept(folder: str) -> list[str]:
  """Prefixes of the checkpoints that a folder lists and that are there, oldest first.

  Without a state file that lists any of them these are all that have an index.
  """
  found = list(filter(_exists, reversed(list_candidates(folder))))
  names = set(read_state(folder))
  listed = [prefix for prefix in found if os.path.basename(prefix) in names]
  return listed or found


def write_state(folder: str, names: list[str]) -> None:
  """Makes `names`, oldest first, the checkpoints that the state file of `folder` lists."""
  lines = [f'model_checkpoint_path: "{names[-1]}"']
  lines += [f'all_model_checkpoint_paths: "{name}"' for name in names]
  files.write_text(pathlib.Path(folder, STATE_FILE), '\n'.join(lines) + '\n')


def list_run_files(folder: str) -> list[pathlib.Path]:
  """The files of all checkpoints of the run in a folder, contracts included, sorted."""
  return sorted(
    pathlib.Path(folder, f'{name}.{kind}')
    for name, kinds in _run_files(folder).items()
    for kind in kinds
  )


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


def remove(prefix: str) -> None:
  """Removes a checkpoint and its contract, the index first: without it there is no checkpoint."""
  data_last = sorted(list_files(prefix), key=lambda file: file.suffix != '.index')
  for file in [*data_last, pathlib.Path(f'{prefix}.json')]:
    file.unlink(missing_ok=True)


def remove_litter(folder: str) -> None:
  """Removes what a killed process left in the folder of a run, and what no checkpoint needs.

  Only one who may write to the folder calls this. A damaged checkpoint that the state file lists
  stays, and so does every incomplete one while no state file says which of them count.
  """
  path = pathlib.Path(folder)
  files.remove_temporaries(path)
  for file in path.glob(_TENSORFLOWS_TEMPORARY):
    file.unlink(missing_ok=True)
  listed = read_state(folder)
  for name, kinds in _run_files(folder).items():
    has_index, has_data = 'index' in kinds, any(kind.startswith('data') for kind in kinds)
    if name in listed or (has_index and (has_data or not listed)):
      continue
    remove(os.path.join(folder, name))


def read_state(folder: str) -> list[str]:
  """The names that the state file lists, oldest first; none if it cannot be read."""
  try:
    state = pathlib.Path(folder, STATE_FILE).read_text(encoding='utf-8')
  except (OSError, UnicodeDecodeError):
    return []
  newest = _NEWEST.findall(state)
  # TensorFlow writes absolute paths; those of a run that was copied lead to the other run.
  names = [os.path.basename(path) for path in [*_LISTED.findall(state), *newest]]
  return [name for i, name in enumerate(names) if name and name not in names[i + 1 :]]


def _run_files(folder: str) -> dict[str, set[str]]:
  """The endings of the files of a run's checkpoints, by the names of these."""
  found: dict[str, set[str]] = {}
  for file in os.listdir(folder) if os.path.isdir(folder) else ():
    match = _RUN_FILE.fullmatch(file)
    if match:
      found.setdefault(match[1], set()).add(match[2])
  return found


def _step(name: str) -> int:
  step = name.rpartition('-')[2]
  return int(step) if step.isdecimal() else -1


def _exists(prefix: str) -> bool:
  return os.path.isfile(f'{prefix}.index')
