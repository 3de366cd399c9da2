"""Image files that do not belong to a data set. No TensorFlow."""

import glob
import os
import pathlib
from collections.abc import Iterable, Iterator, Sequence

from vgg_slim.errors import DataError
from vgg_slim.preprocessing import host

STDIN = '-'


def list_files(arguments: Sequence[str], stdin: Iterable[str] = ()) -> list[str]:
  """Expands files, folders, patterns and `-` into a list of files.

  Args:
    arguments: paths of files; folders, which stand for all images below them, sorted; patterns
      such as 'photos/**/*.jpg', which stand for the files they match, sorted; and `-`, which stands
      for the lines of `stdin`. An existing file whose name looks like a pattern is a file. A name
      that matches nothing is kept, so the caller fails to read it and can name it.
    stdin: lines with one name each.

  Returns:
    Paths in the order given, without repetitions.
  """
  names = []
  for argument in arguments:
    names += (line.rstrip('\r\n') for line in stdin) if argument == STDIN else [argument]
  return list(dict.fromkeys(path for name in names if name for path in _expand(name)))


def read_file(path: str, smaller_side: int | None = None) -> host.StoredImage:
  """Reads one image as the converter does: upright, as JPEG or PNG, see `host.read_image`.

  Raises:
    DataError: the file does not exist or is not an image; the message gives only the reason.
  """
  try:
    data = pathlib.Path(path).read_bytes()
  except OSError as error:
    raise DataError(error.strerror) from error
  return host.read_image(data, smaller_side)


def _expand(name: str) -> Iterator[str]:
  if os.path.isdir(name):
    return _images_below(pathlib.Path(name))
  if os.path.exists(name) or not glob.has_magic(name):
    return iter([name])
  matches = sorted(path for path in glob.glob(name, recursive=True) if os.path.isfile(path))
  return iter(matches or [name])


def _images_below(folder: pathlib.Path) -> Iterator[str]:
  for path in sorted(folder.rglob('*')):
    is_hidden = any(part.startswith('.') for part in path.relative_to(folder).parts)
    if path.suffix.lower() in host.EXTENSIONS and not is_hidden and path.is_file():
      yield str(path)
