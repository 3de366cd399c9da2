"""Outputs that are whole or not there: a kill leaves nothing that looks like one."""

import contextlib
import pathlib
import shutil
import tempfile
from collections.abc import Iterator

from vgg_slim.errors import ConfigError
from vgg_slim.weights.contract import contract_path


def check_is_free(*paths: pathlib.Path) -> None:
  """Raises ConfigError that lists the files of `paths` that exist."""
  taken = [str(path) for path in paths if path.exists()]
  if taken:
    raise ConfigError(f'{", ".join(taken)} exists; give another --output, or delete it first.')


def check_checkpoint_is_free(prefix: str) -> None:
  """Raises ConfigError if a checkpoint, or its contract, stands at `prefix`."""
  if not pathlib.Path(prefix).name:
    raise ConfigError(f'--output={prefix} is a folder; expected the prefix of a checkpoint in it.')
  check_is_free(pathlib.Path(prefix), pathlib.Path(f'{prefix}.index'), contract_path(prefix))


@contextlib.contextmanager
def staged_checkpoint(prefix: str) -> Iterator[str]:
  """Yields a prefix in a folder of its own; at the end its files move to `prefix`.

  The index moves last: without it, TensorFlow finds no checkpoint. After an error the folder is
  removed; after a kill it stays as `.NAME.*.partial`.

  Raises:
    ConfigError: the checkpoint exists.
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
    ConfigError: `path` exists.
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
    ConfigError: `path` exists.
  """
  target = pathlib.Path(path)
  with _staging_folder(target) as staging:
    folder = staging / target.name
    folder.mkdir()
    yield folder
    check_is_free(target)
    folder.rename(target)


@contextlib.contextmanager
def _staging_folder(target: pathlib.Path) -> Iterator[pathlib.Path]:
  try:
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = tempfile.mkdtemp(prefix=f'.{target.name}.', suffix='.partial', dir=target.parent)
  except OSError as error:
    raise ConfigError(f'--output={target} cannot be written: {error.strerror}.') from error
  try:
    yield pathlib.Path(folder)
  finally:
    shutil.rmtree(folder, ignore_errors=True)
