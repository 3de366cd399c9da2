"""Outputs that are whole or not there: a kill leaves nothing that looks like one."""

import contextlib
import os
import pathlib
from collections.abc import Iterator

from vgg_slim import locks
from vgg_slim.checkpoints.contract import contract_path
from vgg_slim.errors import OutputError
from vgg_slim.output_files import check_outputs


def check_is_free(*paths: pathlib.Path) -> None:
  """Raises OutputError that lists those of `paths` that exist, or whose folder is closed to us."""
  taken = [str(path) for path in paths if path.exists()]
  if taken:
    raise OutputError(f'{", ".join(taken)} exists; give another --output, or delete it first.')
  check_outputs(made={'--output': str(paths[0])})


def check_checkpoint_is_free(prefix: str) -> None:
  """Raises OutputError if a checkpoint cannot be written at `prefix`, or there is one already."""
  if not pathlib.Path(prefix).name or os.path.isdir(prefix):
    raise OutputError(f'--output={prefix} is a folder; expected the prefix of a checkpoint in it.')
  check_is_free(pathlib.Path(prefix), pathlib.Path(f'{prefix}.index'), contract_path(prefix))


@contextlib.contextmanager
def staged_checkpoint(prefix: str) -> Iterator[str]:
  """Yields a prefix in a folder of its own; at the end its files move to `prefix`.

  The index moves last: without it, TensorFlow finds no checkpoint. After an error the folder is
  removed; after a kill it stays as `.NAME.partial` until the next attempt.

  Raises:
    FolderInUseError: another process writes the same checkpoint.
    OutputError: the checkpoint exists.
  """
  target = pathlib.Path(prefix)
  with _staging_folder(target) as staging:
    yield str(staging / target.name)
    check_checkpoint_is_free(prefix)
    for file in sorted(staging.iterdir(), key=lambda file: (file.suffix == '.index', file.name)):
      file.rename(target.parent / file.name)


@contextlib.contextmanager
def staged_file(path: str) -> Iterator[str]:
  """Yields a path in a folder of its own; at the end the file moves to `path`.

  Raises:
    OutputError: `path` exists.
  """
  target = pathlib.Path(path)
  with _staging_folder(target) as staging:
    yield str(staging / target.name)
    check_is_free(target)
    (staging / target.name).rename(target)


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
    check_is_free(target)
    folder.rename(target)


def _staging_folder(target: pathlib.Path) -> contextlib.AbstractContextManager[pathlib.Path]:
  return locks.scratch_folder(target.with_name(f'.{target.name}.partial'), name=str(target))
