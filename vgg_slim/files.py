"""Files and folders that are either whole or not there."""

import contextlib
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator


def write_text(path: pathlib.Path, text: str) -> None:
  """Writes UTF-8 `text` to `path` by way of a temporary file beside it."""
  temporary = path.with_name(f'.{path.name}.{os.getpid()}.tmp')
  try:
    temporary.write_text(text, encoding='utf-8')
    temporary.replace(path)
  finally:
    temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def staged_folder(path: pathlib.Path) -> Iterator[pathlib.Path]:
  """Yields an empty folder that becomes `path` when the block ends without an error.

  After an error the folder is removed; after a kill it stays beside `path` as `.NAME.*.partial`.

  Raises:
    FileExistsError: `path` exists when the block ends, or before it starts.
  """
  if path.exists():
    raise FileExistsError(path)
  path.parent.mkdir(parents=True, exist_ok=True)
  staging = pathlib.Path(
    tempfile.mkdtemp(prefix=f'.{path.name}.', suffix='.partial', dir=path.parent)
  )
  try:
    yield staging
    staging.chmod(0o777 & ~_umask())
    staging.rename(path)
  except BaseException:
    shutil.rmtree(staging, ignore_errors=True)
    raise


def _umask() -> int:
  mask = os.umask(0)
  os.umask(mask)
  return mask
