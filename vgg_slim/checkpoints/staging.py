"""Stages outputs, so that a killed process never leaves anything that looks complete."""

import contextlib
import functools
import json
import os
import pathlib
import re
import shutil
from collections.abc import Iterator, Sequence

from vgg_slim import files, json_objects, locks
from vgg_slim.checkpoints import prefixes
from vgg_slim.checkpoints.contract import contract_path
from vgg_slim.errors import FolderInUseError, OutputError, VggSlimError
from vgg_slim.output_files import check_outputs

_MOVED_FILE = 'moved.json'  # in a staging folder: what a process is moving out of it


def check_is_free(path: pathlib.Path) -> None:
  """Raises OutputError if `path` exists, or its folder cannot be written to."""
  _check_is_free(path, [path])


def _check_is_free(target: pathlib.Path, paths: Sequence[pathlib.Path]) -> None:
  taken = [str(path) for path in paths if os.path.lexists(path)]
  if taken:
    _remove_abandoned_staging(target)
    raise OutputError(f'{", ".join(taken)} exists; give another --output, or delete it first.')
  check_outputs(made={'--output': str(target)})


def check_checkpoint_is_free(prefix: str, beside: Sequence[pathlib.Path] = ()) -> None:
  """Raises OutputError if `prefix` is not a valid prefix, or a checkpoint exists there.

  Args:
    prefix: prefix of the checkpoint.
    beside: other outputs that are moved together with it.
  """
  target = pathlib.Path(prefix)
  if not target.name or os.path.isdir(prefix):
    raise OutputError(f'--output={prefix} is a folder; expected the prefix of a checkpoint in it.')
  prefixes.check_output(prefix, '--output')
  paths = dict.fromkeys([target, _index(target), contract_path(prefix), *beside])
  half_moved = _list_half_moved(target)
  _check_is_free(target, [path for path in paths if path not in half_moved])


@contextlib.contextmanager
def staged_checkpoint(prefix: str) -> Iterator[str]:
  """Yields a prefix in a staging folder; at the end, all files in it are moved to `prefix`.

  The index is moved last, because TensorFlow recognizes a checkpoint by it. After an error, the
  staging folder is removed. If the process is killed, it remains as `.NAME.partial` until the next
  attempt, which also removes what had been moved before the index.

  Raises:
    FolderInUseError: another process is writing the same checkpoint.
    OutputError: the checkpoint exists.
  """
  target = pathlib.Path(prefix)
  with _staging_folder(target) as staging:
    yield str(staging / target.name)
    names = sorted(os.listdir(staging), key=lambda name: (name.endswith('.index'), name))
    check_checkpoint_is_free(prefix, [target.with_name(name) for name in names])
    _sync(staging)
    files.write_text(staging / _MOVED_FILE, json.dumps({'names': names}))
    for name in names:
      (staging / name).rename(target.with_name(name))
    files.sync(target.parent)


@contextlib.contextmanager
def staged_file(path: str) -> Iterator[str]:
  """Yields a path in a staging folder; at the end, the file is moved to `path`.

  Raises:
    OutputError: `path` exists.
  """
  target = pathlib.Path(path)
  with _staging_folder(target) as staging:
    yield str(staging / target.name)
    _move(staging / target.name, target)


@contextlib.contextmanager
def staged_folder(path: str) -> Iterator[pathlib.Path]:
  """Yields an empty folder that becomes `path` at the end.

  Raises:
    OutputError: `path` exists.
  """
  target = pathlib.Path(path)
  with _staging_folder(target) as staging:
    folder = staging / target.name
    folder.mkdir()
    yield folder
    _move(folder, target)


def _move(source: pathlib.Path, target: pathlib.Path) -> None:
  check_is_free(target)
  _sync(source)
  source.rename(target)
  files.sync(target.parent)


def _sync(path: pathlib.Path) -> None:
  """Flushes a file, or everything in a folder, to disk."""
  for one in [*path.rglob('*'), path] if path.is_dir() else [path]:
    files.sync(one)


def _index(target: pathlib.Path) -> pathlib.Path:
  return target.with_name(f'{target.name}.index')


def _list_half_moved(target: pathlib.Path) -> list[pathlib.Path]:
  """Returns the paths to which a killed process moved parts of a checkpoint, without the index."""
  scratch = _staging_path(target) / locks.SCRATCH
  try:
    if _index(target).exists():
      return []
    names = json_objects.read(scratch / _MOVED_FILE)['names']
    left = os.listdir(scratch)
    own = [name for name in names if files.is_name(name) and name.startswith(target.name)]
  except (OSError, KeyError, TypeError, ValueError):  # no process was killed while it moved files
    return []
  return [target.with_name(name) for name in own if name not in left]


def _remove_half_moved(target: pathlib.Path) -> None:
  for path in _list_half_moved(target):
    if path.is_dir():
      shutil.rmtree(path)
    else:
      path.unlink(missing_ok=True)


def _staging_path(target: pathlib.Path) -> pathlib.Path:
  return target.with_name(f'.{target.name}.partial')


@contextlib.contextmanager
def _staging_folder(target: pathlib.Path) -> Iterator[pathlib.Path]:
  """Yields a folder for what becomes `target`; errors in the block name the paths it would have."""
  remove = functools.partial(_remove_half_moved, target)
  with locks.scratch_folder(_staging_path(target), str(target), prepare=remove) as staging:
    staged, final = str(staging), str(target.parent)
    try:
      yield staging
    except OSError as error:
      if error.filename is not None:
        error.filename = str(error.filename).replace(staged, final)
      raise
    except Exception as error:
      text = str(error)
      # TensorFlow's errors; its names of temporary files end in .tempstate and a number.
      written = re.search(rf'{re.escape(staged)}([^\s;]*?)(\.tempstate\d+)?; ([^\n]+)', text)
      if written and not isinstance(error, VggSlimError):
        raise VggSlimError(f'{final}{written[1]} cannot be written: {written[3]}.') from error
      if isinstance(error, VggSlimError) and staged in text:
        raise type(error)(text.replace(staged, final)) from error
      raise


def _remove_abandoned_staging(target: pathlib.Path) -> None:
  """Removes the staging folder of a process that was killed after it had moved everything."""
  if _staging_path(target).exists():
    with contextlib.suppress(FolderInUseError, OutputError), _staging_folder(target):
      pass
