"""Locates the files of a checkpoint and the checkpoints of a folder. No TensorFlow.

A prefix is the common beginning of the paths of a checkpoint's files. The folder of a run lists its
checkpoints in a state file in TensorFlow's format, by name only, so that the folder can be copied
or moved. Files outside the folder are ignored, even if the state file names them.
"""

import os
import pathlib
import re

from vgg_slim import files, similar_paths, wording
from vgg_slim.errors import CheckpointError, OutputError

RUN_NAME = 'model.ckpt'  # the checkpoints of a run are called RUN_NAME-STEP
STATE_FILE = 'checkpoint'
_NEWEST = re.compile(r'^model_checkpoint_path: "(.*)"$', re.MULTILINE)
_LISTED = re.compile(r'^all_model_checkpoint_paths: "(.*)"$', re.MULTILINE)
_V2_FILE = re.compile(r'\.(index|data-\d{5}-of-\d{5})$')
_RUN_FILE = re.compile(rf'({re.escape(RUN_NAME)}-\d+)\.(index|json|data-\d{{5}}-of-\d{{5}})')
# What `fnmatch` reads as a set of characters, or as the next one without its meaning. A set may
# begin with a bracket, also after the sign that negates it, and contain a slash.
_PATTERN = re.compile(r'\\|\[(?:[!^].|[^!^])[^\]]*\]', re.DOTALL)
_OF_PATTERNS = str.maketrans('', '', '[]\\')
_TENSORFLOW_TEMPORARIES = '*.tempstate*'


def find_prefix(path: str) -> str | None:
  """Returns the prefix of the checkpoint at `path`, in format V2, or None.

  Args:
    path: a prefix, one of a checkpoint's files, or a folder, which stands for its newest checkpoint
      by name; `checkpoints.find` looks for the newest intact one.
  """
  if os.path.isdir(path):
    return next(filter(_exists, list_candidates(path)), None)
  prefix = _V2_FILE.sub('', path)
  return prefix if _exists(prefix) else None


def path_problem(path: str) -> str | None:
  """Returns why TensorFlow would not find a checkpoint at `path`, or None if it would.

  It opens names in UTF-8 alone. It takes the prefix for a pattern when it looks which format a
  checkpoint has, and for a name when it reads the checkpoint, so that nothing can be escaped.
  """
  if problem := files.utf8_problem(path):
    return problem
  found = _PATTERN.search(path)
  if not found:
    return None
  return (
    f'TensorFlow takes {found[0]} for a pattern and finds no checkpoint in such a path; rename the '
    'folder, or give another path'
  )


def check_path(path: str) -> None:
  """Raises CheckpointError if TensorFlow would not find a checkpoint at `path`."""
  if problem := path_problem(path):
    raise CheckpointError(f'{path}: {problem}.')


def check_output(path: str, name: str) -> None:
  """Raises OutputError if TensorFlow would not find a checkpoint that is written at `path`.

  Args:
    path: prefix of a checkpoint, or its folder.
    name: name of the path in the message, such as `--train_dir`.
  """
  if problem := path_problem(path):
    raise OutputError(f'{name}={path}: {problem}.')


def without_pattern(name: str) -> str:
  """Returns a name without the characters that `path_problem` is about."""
  name = name.encode(errors='ignore').decode()
  return name.translate(_OF_PATTERNS) if _PATTERN.search(name) else name


def check_exists(path: str) -> None:
  """Raises CheckpointError unless there is a checkpoint at `path`, in any format, by its names."""
  if not (find_prefix(path) or os.path.isfile(path)):
    raise absence(path)


def absence(path: str) -> CheckpointError:
  """The error that there is no checkpoint at `path`."""
  if os.path.isdir(path):
    below = sorted(str(entry) for entry in pathlib.Path(path).glob('*/') if find_prefix(str(entry)))
    hint = f' Folders below it do: {wording.listed(below, most=5)}.' if below else ''
    return CheckpointError(f'{path} holds no checkpoint.{hint}')
  hint = similar_paths.suggest(path, only_folders=True) or _describe_others(path)
  return CheckpointError(f'{path} is neither a checkpoint nor a folder of one.{hint}')


def _describe_others(path: str) -> str:
  """Returns a sentence on the checkpoints in the folder that `path` would be in; '' for none."""
  folder = pathlib.Path(path).parent
  names = sorted((file.stem for file in folder.glob('*.index')), key=_step, reverse=True)
  return f' {folder}{os.sep} holds {wording.listed(names, most=5)}.' if names else ''


def list_candidates(folder: str) -> list[str]:
  """Returns the prefixes of the checkpoints in a folder, newest first; some may be damaged.

  These are the checkpoints that the state file lists and that have at least one file, and all other
  checkpoints of the run that have an index, which TensorFlow writes last.
  """
  listed, run_files = read_state(folder), _run_files(folder)
  names = dict.fromkeys(name for name in listed if list_files(os.path.join(folder, name)))
  names.update(dict.fromkeys(name for name, kinds in run_files.items() if 'index' in kinds))
  # Names without a step keep the order of the state file, whose last name is the newest.
  return [os.path.join(folder, name) for name in reversed(sorted(names, key=_step))]


def kept(folder: str) -> list[str]:
  """Returns the prefixes of the checkpoints that a folder lists and holds, oldest first.

  If the state file lists none of them, all checkpoints that have an index are returned.
  """
  existing = list(filter(_exists, reversed(list_candidates(folder))))
  names = set(read_state(folder))
  listed = [prefix for prefix in existing if os.path.basename(prefix) in names]
  return listed or existing


def write_state(folder: str, names: list[str]) -> None:
  """Writes the state file of `folder`, which then lists `names`, oldest first."""
  lines = [f'model_checkpoint_path: "{names[-1]}"']
  lines += [f'all_model_checkpoint_paths: "{name}"' for name in names]
  files.write_text(pathlib.Path(folder, STATE_FILE), '\n'.join(lines) + '\n')


def list_run_files(folder: str) -> list[pathlib.Path]:
  """Returns the files of all checkpoints of the run in a folder, including contracts, sorted."""
  return sorted(
    pathlib.Path(folder, f'{name}.{kind}')
    for name, kinds in _run_files(folder).items()
    for kind in kinds
  )


def list_files(prefix: str) -> list[pathlib.Path]:
  """Returns the files of a checkpoint, sorted: one file for V1, index and data for V2."""
  path = pathlib.Path(prefix)
  if path.is_file():
    return [path]
  siblings = path.parent.iterdir() if path.parent.is_dir() else ()
  return sorted(
    file
    for file in siblings
    if file.name.startswith(path.name) and _V2_FILE.fullmatch(file.name[len(path.name) :])
  )


def remove(prefix: str) -> None:
  """Removes a checkpoint and its contract; the index first, without which none is recognized."""
  data_last = sorted(list_files(prefix), key=lambda file: file.suffix != '.index')
  for file in [*data_last, pathlib.Path(f'{prefix}.json')]:
    file.unlink(missing_ok=True)


def remove_leftovers(folder: str) -> None:
  """Removes temporary files of killed processes, and files that belong to no checkpoint of the run.

  Call this only in the process that owns the folder. Damaged checkpoints that the state file lists
  are kept. Without a state file, every checkpoint with an index is kept as well.
  """
  path = pathlib.Path(folder)
  files.remove_temporaries(path)
  for file in path.glob(_TENSORFLOW_TEMPORARIES):
    file.unlink(missing_ok=True)
  listed = read_state(folder)
  for name, kinds in _run_files(folder).items():
    has_index, has_data = 'index' in kinds, any(kind.startswith('data') for kind in kinds)
    if name in listed or (has_index and (has_data or not listed)):
      continue
    remove(os.path.join(folder, name))


def read_state(folder: str) -> list[str]:
  """Returns the names that the state file lists, oldest first; none if it cannot be read."""
  try:
    state = pathlib.Path(folder, STATE_FILE).read_text(encoding='utf-8')
  except (OSError, UnicodeDecodeError):
    return []
  newest = _NEWEST.findall(state)
  # TensorFlow writes absolute paths, which in a copied run still point to the original.
  names = [os.path.basename(path) for path in [*_LISTED.findall(state), *newest]]
  return [
    name for i, name in enumerate(names) if files.is_name(name) and name not in names[i + 1 :]
  ]


def _run_files(folder: str) -> dict[str, set[str]]:
  """Returns the suffixes of the files of each checkpoint of a run, by checkpoint name."""
  suffixes: dict[str, set[str]] = {}
  for file in os.listdir(folder) if os.path.isdir(folder) else ():
    match = _RUN_FILE.fullmatch(file)
    if match:
      suffixes.setdefault(match[1], set()).add(match[2])
  return suffixes


def _step(name: str) -> int:
  step = name.rpartition('-')[2]
  return int(step) if step.isdecimal() else -1


def _exists(prefix: str) -> bool:
  return os.path.isfile(f'{prefix}.index')
