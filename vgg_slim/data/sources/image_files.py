"""Finding image files in folders: of a data set, or named by a user. No TensorFlow."""

import glob
import itertools
import logging
import os
import pathlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from vgg_slim import wording
from vgg_slim.errors import DataError

if TYPE_CHECKING:  # NumPy and Pillow, which names of files need no more than TensorFlow
  from vgg_slim.preprocessing import description, host

STDIN = '-'
HEAD_BYTES = 16  # enough for the signature of every format

_logger = logging.getLogger(__name__)


class Files(NamedTuple):
  """Everything in a folder or an archive but hidden files; names are relative to it, with '/'.

  Attributes:
    images: names of the images.
    others: names of all other files.
    folders: names of the folders, at least of those on the two upper levels and of empty ones.
  """

  images: Sequence[str]
  others: Sequence[str]
  folders: Collection[str]


def list_files(arguments: Sequence[str], stdin: Iterable[str] = ()) -> list[str]:
  """Expands files, folders, patterns and `-` into a list of files.

  A warning says how many files in a folder are not images, by extension.

  Args:
    arguments: paths of files; folders, which stand for all images below them, sorted; patterns
      such as 'photos/**/*.jpg', which stand for the files they match, sorted; and `-`, which stands
      for the lines of `stdin`. An existing file whose name looks like a pattern is a file. A name
      that matches nothing is kept, so the caller fails to read it and can name it.
    stdin: lines with one name each.

  Returns:
    Paths in the order given, without repetitions.
  """
  names: list[str] = []
  for argument in arguments:
    names += (line.rstrip('\r\n') for line in stdin) if argument == STDIN else [argument]
  return list(dict.fromkeys(path for name in names if name for path in _expand(name)))


def read_file(
  path: str,
  smaller_side: int | None = None,
  pixel_range: 'description.Range | None' = None,
) -> 'host.StoredImage':
  """Reads one image as the converter does: upright, as JPEG or PNG, see `host.read_image`.

  Raises:
    DataError: the file does not exist or is not an image; the message gives only the reason.
  """
  from vgg_slim.data.sources.labeled_images import read_regular_file
  from vgg_slim.preprocessing import host

  try:
    data = read_regular_file(path)
  except OSError as error:
    raise DataError(error.strerror or str(error)) from error
  return host.read_image(data, smaller_side, pixel_range=pixel_range)


def _expand(name: str) -> Iterator[str]:
  if os.path.isdir(name):
    return _images_below(pathlib.Path(name))
  if os.path.exists(name) or not glob.has_magic(name):
    return iter([name])
  matches = sorted(path for path in glob.glob(name, recursive=True) if os.path.isfile(path))
  return iter(matches or [name])


def _images_below(folder: pathlib.Path) -> Iterator[str]:
  images, others = list_images(folder)
  if others:
    counts = f'{wording.counted(len(others), "file")} ({wording.count_extensions(others)})'
    _logger.warning('%s: passed over %s, not images by extension or content.', folder, counts)
  return (str(folder / name) for name in images)


def list_images(folder: pathlib.Path) -> tuple[list[str], list[str]]:
  """Lists the files below a folder.

  A file is an image by its extension, in upper or lower case, or by its first bytes; hidden files
  and folders are ignored. Links are followed, but no folder is entered twice, so loops end.

  Returns:
    Names of the images and of all other files, relative to `folder` with '/', both sorted.

  Raises:
    OSError: a folder cannot be read.
  """
  files = _list_below(folder, folder)
  return sorted(files.images), sorted(files.others)


def list_tree(root: pathlib.Path) -> Files:
  """Lists the files in a folder, and those in each folder inside it as `list_images` does.

  Raises:
    OSError: a folder cannot be read.
  """
  with os.scandir(root) as entries:
    names = sorted(e.name for e in entries if not e.is_dir() and not is_ignored(e.name))
  parts = [_sort([root / name for name in names], root)]
  parts += [_list_below(root / name, root) for name in list_folders(root)]
  return Files(*(sorted(itertools.chain(*lists)) for lists in zip(*parts, strict=True)))


def _list_below(folder: pathlib.Path, root: pathlib.Path) -> Files:
  """Lists everything below a folder; names are relative to `root`."""
  paths = list(_walk(folder))
  files = _sort([path for path, is_folder in paths if not is_folder], root)
  folders = [path.relative_to(root).as_posix() for path, is_folder in paths if is_folder]
  return files._replace(folders=folders)


def _sort(paths: Iterable[pathlib.Path], root: pathlib.Path) -> Files:
  """Divides paths of files into images and others; names are relative to `root`."""
  images: list[str] = []
  others: list[str] = []
  for path in paths:
    (images if _is_image(path) else others).append(path.relative_to(root).as_posix())
  return Files(images, others, [])


def list_folders(root: pathlib.Path) -> list[str]:
  """Lists the names of the folders in `root` that are not hidden, sorted; follows links."""
  with os.scandir(root) as entries:
    return sorted(e.name for e in entries if e.is_dir() and not is_ignored(e.name))


def is_ignored(name: str) -> bool:
  """Whether a file or folder is hidden, or what macOS adds to archives."""
  return name.startswith('.') or name == '__MACOSX'


def _walk(folder: pathlib.Path) -> Iterator[tuple[pathlib.Path, bool]]:
  """Yields the path of `folder` and of everything below it, and whether it is a folder."""
  seen = set()
  for where, folders, names in os.walk(folder, onerror=_raise, followlinks=True):
    status = os.stat(where)
    identity = (status.st_dev, status.st_ino)
    if identity in seen:
      folders.clear()
      continue
    seen.add(identity)
    # Sorted, so that of several paths to one folder the same is chosen on every file system.
    folders[:] = sorted(name for name in folders if not is_ignored(name))
    path = pathlib.Path(where)
    yield path, True
    yield from ((path / name, False) for name in names if not name.startswith('.'))


def _is_image(path: pathlib.Path) -> bool:
  from vgg_slim.preprocessing import image_formats

  if image_formats.has_image_extension(path.suffix):
    return True  # without opening the file: a million files are listed in seconds
  if not path.is_file():
    return False
  try:
    with path.open('rb') as stream:
      return image_formats.is_image_file(path.suffix, stream.read(HEAD_BYTES))
  except OSError:
    return False


def _raise(error: OSError) -> None:
  raise error
