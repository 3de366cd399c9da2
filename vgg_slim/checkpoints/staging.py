"""Stages outputs, so that a killed process never leaves anything that looks complete."""

import contextlib
import os
import pathlib
from collections.abc import Iterator

from vgg_slim import locks
from vgg_slim.checkpoints.contract import contract_path
from vgg_slim.errors import OutputError
from vgg_slim.output_files import check_outputs


def check_is_free(*paths: pathlib.Path) -> None:
  """Raises OutputError if any of `paths` exists, or their folder cannot be written to."""
  taken = [str(path) for path in paths if path.exists()]
  if taken:
    raise OutputError(f'{", ".join(taken)} exists; give another --output, or delete it first.')
  check_outputs(made={'--output': str(paths[0])})


def check_checkpoint_is_free(prefix: str) -> None:
  """Raises OutputError if `prefix` is not a valid prefix, or a checkpoint exists there."""
  if not pathlib.Path(prefix).name or os.path.isdir(prefix):
    raise OutputError(f'--output={prefix} is a folder; expected the prefix of a checkpoint in it.')
  check_is_free(pathlib.Path(prefix), pathlib.Path(f'{prefix}.index'), contract_path(prefix))


@contextlib.contextmanager
def staged_checkpoint(prefix: str) -> Iterator[str]:
  """Yields a prefix in a staging folder; at the end, the files are moved to `prefix`.

  The index is moved last, because TensorFlow recognizes a checkpoint by it. After an error, the
  staging folder is removed. If the process is killed, it remains as `.NAME.partial` until the next
  attempt.

  Raises:
    FolderInUseError: another process is writing the same checkpoint.
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
  """Yields a path in a staging folder; at the end, the file is moved to `path`.

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
