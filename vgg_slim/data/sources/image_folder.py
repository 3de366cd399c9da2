"""Folders with one folder per class, with or without split folders above them. No TensorFlow."""

import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from vgg_slim.data.labels import check_class_names
from vgg_slim.data.sources import split_names
from vgg_slim.data.sources.image_files import list_folders, list_images
from vgg_slim.data.sources.labeled_images import FileImages, Source, fingerprint_files
from vgg_slim.errors import DataError


class Listing(NamedTuple):
  """Contents of a folder of class folders.

  Attributes:
    class_names: class names as given; by default sorted, so labels do not depend on the file
      system.
    names: names of the images, 'class/name', sorted within each class.
    labels: index into `class_names` for each image.
    skipped_files: files that are not images by extension or first bytes, 'class/name', sorted.
  """

  class_names: tuple[str, ...]
  names: list[str]
  labels: list[int]
  skipped_files: list[str]


def open_folder(root: pathlib.Path, class_names: Sequence[str] | None = None) -> Source:
  """Opens a folder of class folders, or of folders of splits that hold class folders.

  Args:
    root: the folder; see `split_names` for the names of splits.
    class_names: all classes in the order of their labels; class folders may then be missing or
      empty. By default the class folders of train, which must not be empty and which every split
      must have.

  Raises:
    DataError: see `list_class_folders` and `split_names.group_folders`; or the splits have
      different classes.
    OSError: a folder cannot be read.
  """
  split_by_folder = _splits_in(root, class_names)
  if not split_by_folder:
    listings = {'': list_class_folders(root, class_names)}
  else:
    listings = {
      name: list_class_folders(root / name, class_names, may_be_empty=split != 'train')
      for name, split in split_by_folder.items()
    }
  class_names = next(iter(listings.values())).class_names
  for name, listing in listings.items():
    check_same_classes(root, class_names, name, listing.class_names)
  splits = {}
  paths = []
  for name, (_, names, labels, _) in listings.items():
    prefix = f'{name}/' if name else ''
    splits[split_by_folder.get(name, 'train')] = FileImages(root / name, names, labels, prefix)
    paths += [os.path.join(root, name, image) for image in names]
  skipped_files = [
    os.path.join(name, file) for name, listing in listings.items() for file in listing.skipped_files
  ]
  return Source(
    'folder',
    class_names,
    splits,
    True,
    fingerprint_files(paths),
    skipped_files=tuple(skipped_files),
  )


def _splits_in(root: pathlib.Path, class_names: Sequence[str] | None) -> dict[str, str]:
  """Returns the split of each folder in `root`; empty if the folders are classes."""
  contents = {name: list_folders(root / name) for name in list_folders(root)}
  return split_names.group_folders(root, contents, class_names)


def list_class_folders(
  root: pathlib.Path, class_names: Sequence[str] | None = None, may_be_empty: bool = False
) -> Listing:
  """Lists a folder of class folders.

  Folders inside a class folder belong to the class, see `image_files.list_images`.

  Args:
    root: the folder.
    class_names: see `make_listing`.
    may_be_empty: see `make_listing`.

  Raises:
    DataError: see `make_listing`.
    OSError: a folder cannot be read.
  """
  by_class, skipped_files = {}, []
  for class_name in list_folders(root):
    images, others = list_images(root / class_name)
    by_class[class_name] = [f'{class_name}/{name}' for name in images]
    skipped_files += [f'{class_name}/{name}' for name in others]
  return make_listing(root, by_class, sorted(skipped_files), class_names, may_be_empty)


def make_listing(
  where: object,
  by_class: Mapping[str, Sequence[str]],
  skipped_files: list[str],
  class_names: Sequence[str] | None = None,
  may_be_empty: bool = False,
) -> Listing:
  """Makes a listing from the names of the images of each class.

  Args:
    where: folder or archive to name in messages.
    by_class: names of the images by class name.
    skipped_files: see `Listing`.
    class_names: all classes in the order of their labels; any of them may have no images. By
      default the classes of `by_class`, sorted.
    may_be_empty: whether a class of `by_class` may have no images; has no effect when
      `class_names` is given.

  Raises:
    DataError: there are fewer than two classes, classes without images, classes missing from
      `class_names` (all are named), or class names that a label file cannot hold.
  """
  if class_names is None:
    class_names = tuple(sorted(by_class))
    _check_classes(where, by_class, class_names, may_be_empty)
  if unknown := sorted(set(by_class) - set(class_names)):
    raise DataError(f'{where} has class folders that --labels does not name: {", ".join(unknown)}.')
  names_of_classes = [sorted(by_class.get(class_name, ())) for class_name in class_names]
  names = [name for class_ in names_of_classes for name in class_]
  labels = [label for label, class_ in enumerate(names_of_classes) for _ in class_]
  return Listing(tuple(class_names), names, labels, skipped_files)


def _check_classes(
  where: object,
  by_class: Mapping[str, Sequence[str]],
  class_names: Sequence[str],
  may_be_empty: bool,
) -> None:
  if len(class_names) < 2:
    raise DataError(
      f'{where} must contain at least two class folders, found {len(class_names)}: '
      f'{", ".join(class_names) or "none"}.'
    )
  check_class_names(class_names)
  empty = [class_name for class_name in class_names if not by_class[class_name]]
  if empty and not may_be_empty:
    raise DataError(f'{where} has class folders without images: {", ".join(empty)}.')


def check_same_classes(
  where: object, train: Sequence[str], split: str, others: Sequence[str]
) -> None:
  """Raises a DataError that names the differences unless a split has the classes of train."""
  if tuple(others) != tuple(train):
    raise DataError(
      f'{where}: the class folders of train and {split} differ: '
      f'only in train {sorted(set(train) - set(others))}, '
      f'only in {split} {sorted(set(others) - set(train))}.'
    )
