"""Picture files that are part of no data set. No TensorFlow."""

import glob
import os
import pathlib
from collections.abc import Iterable, Iterator, Sequence

from vgg_slim.errors import DataError
from vgg_slim.preprocessing import host

STDIN = '-'


def list_files(arguments: Sequence[str], stdin: Iterable[str] = ()) -> list[str]:
  """Turns files, folders, patterns and `-` into files, in the order given, each once.

  Args:
    arguments: a folder means all pictures below it, sorted; `-` the names in `stdin`, one a line;
      a name that is no file, a pattern such as 'photos/**/*.jpg', sorted. What matches nothing
      stays in the list, so that whoever reads it names it.
    stdin: lines.

  Returns:
    paths, without repetition.
  """
  names = []
  for argument in arguments:
    names += (line.rstrip('\r\n') for line in stdin) if argument == STDIN else [argument]
  return list(dict.fromkeys(path for name in names if name for path in _expand(name)))


def read_file(path: str, smaller_side: int | None = None) -> host.StoredImage:
  """Reads one image as the converter reads it: upright, JPEG or PNG, see `host.read_image`.

  Raises:
    DataError: no such file, or not an image; says the reason only.
  """
  try:
    data = pathlib.Path(path).read_bytes()
  except OSError as error:
    raise DataError(error.strerror) from error
  return host.read_image(data, smaller_side)


def _expand(name: str) -> Iterator[str]:
  if os.path.isdir(name):
    return _below(pathlib.Path(name))
  if os.path.exists(name) or not glob.has_magic(name):
    return iter([name])
  found = sorted(path for path in glob.glob(name, recursive=True) if os.path.isfile(path))
  return iter(found or [name])


def _below(folder: pathlib.Path) -> Iterator[str]:
  for path in sorted(folder.rglob('*')):
    is_hidden = any(part.startswith('.') for part in path.relative_to(folder).parts)
    if path.suffix.lower() in host.EXTENSIONS and not is_hidden and path.is_file():
      yield str(path)
