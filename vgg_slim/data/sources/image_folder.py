"""Folders of class folders, with or without split folders above them. No TensorFlow."""

import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from vgg_slim.data.labels import check_class_names
from vgg_slim.data.sources.labeled_images import FileImages, Source, state_of_files
from vgg_slim.errors import DataError
from vgg_slim.preprocessing import host

# A folder with `train` and nothing but these holds splits, each a folder of class folders.
SPLIT_FOLDERS = {'train': 'train', 'validation': 'validation', 'val': 'validation', 'test': 'test'}

_HEAD_BYTES = 16


class Listing(NamedTuple):
  """What a folder of class folders holds.

  Attributes:
    class_names: as they were given; else sorted, so that labels never depend on the file system.
    names: pictures as 'class/name', sorted within each class.
    labels: place in `class_names` for each name.
    passed_over: files that are no pictures by extension or first bytes, 'class/name', sorted.
  """

  class_names: tuple[str, ...]
  names: list[str]
  labels: list[int]
  passed_over: list[str]


def open_folder(root: pathlib.Path, class_names: Sequence[str] | None = None) -> Source:
  """Opens a folder of class folders, or of `train`, `validation` (or `val`) and `test` folders.

  Args:
    root: the folder.
    class_names: all classes, in the order of their labels; class folders may then be missing or
      empty. By default the class folders of train, none of them empty, which all splits must have.

  Raises:
    DataError: see `list_class_folders`; or the classes of the splits differ.
    OSError: a folder cannot be read.
  """
  folders = list_folders(root)
  if 'train' not in folders or not set(folders) <= set(SPLIT_FOLDERS):
    listings = {'': list_class_folders(root, class_names)}
  elif {'val', 'validation'} <= set(folders):
    raise DataError(f'{root} has both a val and a validation folder.')
  else:
    listings = {
      name: list_class_folders(root / name, class_names, may_be_empty=name != 'train')
      for name in SPLIT_FOLDERS
      if name in folders
    }
  class_names = next(iter(listings.values())).class_names
  for name, listing in listings.items():
    check_same_classes(root, class_names, name, listing.class_names)
  splits = {}
  paths = []
  for name, (_, names, labels, _) in listings.items():
    prefix = f'{name}/' if name else ''
    splits[SPLIT_FOLDERS.get(name, 'train')] = FileImages(root / name, names, labels, prefix)
    paths += [os.path.join(root, name, image) for image in names]
  passed_over = [
    os.path.join(name, file) for name, listing in listings.items() for file in listing.passed_over
  ]
  return Source(
    'folder', class_names, splits, True, state_of_files(paths), passed_over=tuple(passed_over)
  )


def list_class_folders(
  root: pathlib.Path, class_names: Sequence[str] | None = None, may_be_empty: bool = False
) -> Listing:
  """Lists a folder of class folders.

  A file is a picture by its extension, in any case, or by its first bytes; hidden files and folders
  are not looked at. Folders inside a class folder belong to the class. Links are followed, and no
  folder is entered twice for one class, so that loops end.

  Args:
    root: the folder.
    class_names: as `listing_of` takes them.
    may_be_empty: as `listing_of` takes it.

  Raises:
    DataError: as `listing_of`.
    OSError: a folder cannot be read.
  """
  by_class, passed_over = {}, []
  for class_name in list_folders(root):
    by_class[class_name] = []
    for name in _walk(root / class_name):
      kind = by_class[class_name] if _is_picture(root / class_name / name) else passed_over
      kind.append(f'{class_name}/{name}')
  return listing_of(root, by_class, sorted(passed_over), class_names, may_be_empty)


def listing_of(
  where: object,
  by_class: Mapping[str, Sequence[str]],
  passed_over: list[str],
  class_names: Sequence[str] | None = None,
  may_be_empty: bool = False,
) -> Listing:
  """Makes a listing of the names of the pictures of each class.

  Args:
    where: for the messages.
    by_class: class name -> names.
    passed_over: see `Listing`.
    class_names: all classes, in the order of their labels; any of them may have no image. By
      default those of `by_class`, sorted.
    may_be_empty: whether a class of `by_class` may have no image.

  Raises:
    DataError: fewer than two classes, classes without images where these are not allowed, classes
      that are not in `class_names` (all are named), or names that no label file can hold.
  """
  if class_names is None:
    class_names = tuple(sorted(by_class))
    _check_classes(where, by_class, class_names, may_be_empty)
  if unknown := sorted(set(by_class) - set(class_names)):
    raise DataError(f'{where} has class folders that --labels does not name: {", ".join(unknown)}.')
  found = [sorted(by_class.get(class_name, ())) for class_name in class_names]
  names = [name for part in found for name in part]
  labels = [label for label, part in enumerate(found) for _ in part]
  return Listing(tuple(class_names), names, labels, passed_over)


def _check_classes(
  where: object,
  by_class: Mapping[str, Sequence[str]],
  class_names: Sequence[str],
  may_be_empty: bool,
) -> None:
  if len(class_names) < 2:
    raise DataError(
      f'{where} must hold at least two class folders, it has {len(class_names)}: '
      f'{", ".join(class_names) or "none"}.'
    )
  check_class_names(class_names)
  empty = [class_name for class_name in class_names if not by_class[class_name]]
  if empty and not may_be_empty:
    raise DataError(f'{where} has class folders without images: {", ".join(empty)}.')


def check_same_classes(
  where: object, train: Sequence[str], split: str, others: Sequence[str]
) -> None:
  """Raises DataError that names the classes in which a split differs from train."""
  if tuple(others) != tuple(train):
    raise DataError(
      f'{where}: the class folders of train and {split} differ: '
      f'only in train {sorted(set(train) - set(others))}, '
      f'only in {split} {sorted(set(others) - set(train))}.'
    )


def list_folders(root: pathlib.Path) -> list[str]:
  """Names of the folders in `root` that are not hidden, sorted; links to folders count."""
  with os.scandir(root) as entries:
    return sorted(e.name for e in entries if e.is_dir() and not e.name.startswith('.'))


def _walk(folder: pathlib.Path) -> Iterator[str]:
  """Names of all files below `folder`, relative to it, with '/'; in no particular order."""
  seen = set()
  for where, folders, names in os.walk(folder, onerror=_raise, followlinks=True):
    status = os.stat(where)
    identity = (status.st_dev, status.st_ino)
    if identity in seen:
      folders.clear()
      continue
    seen.add(identity)
    # Sorted, so that of several ways to one folder the same is taken everywhere.
    folders[:] = sorted(name for name in folders if not name.startswith('.'))
    inside = pathlib.Path(where).relative_to(folder)
    yield from ((inside / name).as_posix() for name in names if not name.startswith('.'))


def _is_picture(path: pathlib.Path) -> bool:
  if path.suffix.lower() in host.EXTENSIONS:
    return True  # without opening it: a million files are listed in seconds
  if not path.is_file():
    return False
  try:
    with path.open('rb') as stream:
      return host.is_image_file(path.suffix, stream.read(_HEAD_BYTES))
  except OSError:
    return False


def _raise(error: OSError) -> None:
  raise error
