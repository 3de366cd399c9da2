"""Finds splits and labels in the names of the files in a folder or an archive. No TensorFlow."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from vgg_slim.data.labels import check_class_names
from vgg_slim.data.sources import split_names
from vgg_slim.data.sources.image_files import Files
from vgg_slim.errors import DataError
from vgg_slim.wording import counted, listed

FROM_FOLDER, FROM_PREFIX = 'folder', 'prefix'
LABELS_FROM = (FROM_FOLDER, FROM_PREFIX)

# What precedes the number of a file: cat of cat.0.jpg, cat_001.jpg, cat (3).jpg and cat-7.jpg.
_PREFIX = re.compile(r'(.*?[^ ._-])(?:[ ._-]+\(?|\(|(?<!\d))\d+\)?$')
_LETTER = re.compile(r'[^\W\d_]')


class Listing(NamedTuple):
  """The labeled images of a split.

  Attributes:
    names: names of the images, sorted within each class.
    labels: index of the class for each image.
  """

  names: list[str]
  labels: list[int]


class Layout(NamedTuple):
  """The splits and classes of a folder or an archive.

  Attributes:
    around: folder, with '/' at its end, that holds everything; '' if there is none. The names of
      images do not contain it.
    class_names: class names as given; by default sorted, so labels do not depend on the file
      system.
    splits: labeled images by split.
    skipped_files: sorted names of the files that are not images or have no label.
    notes: what was guessed or left out, for users.
  """

  around: str
  class_names: tuple[str, ...]
  splits: dict[str, Listing]
  skipped_files: tuple[str, ...]
  notes: tuple[str, ...]


def arrange(
  where: object,
  files: Files,
  class_names: Sequence[str] | None = None,
  labels_from: str = FROM_FOLDER,
) -> Layout:
  """Assigns images to splits and classes by their names.

  A folder around everything is ignored. Folders inside a class folder belong to the class. A split
  other than train may lack classes; if none of its images has a label, it is set aside.

  Args:
    where: folder or archive to name in messages.
    files: its content.
    class_names: all classes in the order of their labels; any of them may have no images, and
      other folders without images are ignored. By default the classes of train.
    labels_from: 'folder' if the classes are folders, or 'prefix' if they are what precedes the
      number in the names of files.

  Raises:
    DataError: train has fewer than two classes or class folders without images, another split has
      classes that train lacks, or see `split_names.group_folders`; names them all.
  """
  around = _folder_around(files.images, class_names, levels=1 + (labels_from == FROM_FOLDER))
  folders = [name.removeprefix(around) for name in files.folders if name.startswith(around)]
  names = [name.removeprefix(around) for name in files.images]
  split_of = _splits_in(where, folders, class_names, labels_from)
  by_folder, left_out = _by_split_folder(names, split_of)
  notes = [f'All images are in {around.rstrip("/")}.'] if around else []
  if left_out:
    notes.append(f'Left out: {_some(left_out)} beside the folders of splits.')
  labels_are_given = class_names is not None
  splits = {}
  for folder, names in by_folder.items():
    here = f'{where}, {folder}' if folder else str(where)
    by_class, unlabeled = _by_class(names, folders, folder, labels_from)
    if class_names is None:
      class_names = _check_train(here, by_class, unlabeled, labels_from)
    elif labels_are_given:
      _check_listed(here, by_class, class_names)
    elif _has_no_labels(by_class, class_names):
      unlabeled = names
      by_class = {}
    else:
      _check_same_classes(where, class_names, folder, by_class)
    if by_class:
      splits[split_of.get(folder, 'train')] = _label(by_class, class_names)
    if unlabeled:
      notes.append(f'Left out: {_some(unlabeled)} without a label in {here}.')
    elif not by_class:
      notes.append(f'{here} has no images and is left out.')
    left_out += unlabeled
  if not labels_are_given and (doubtful := list(filter(split_names.split_of, class_names or ()))):
    notes.append(
      f'{listed(doubtful)} is taken for a class, as the folders beside it are; if it is a split, '
      'put these into a folder train.'
    )
  skipped_files = (*files.others, *(around + name for name in left_out))
  return Layout(
    around, tuple(class_names or ()), splits, tuple(sorted(skipped_files)), tuple(notes)
  )


def list_classes(
  where: object, files: Files, class_names: Sequence[str] | None = None
) -> tuple[tuple[str, ...], Listing]:
  """Labels the images of one split by their class folders.

  Args:
    where: folder to name in messages.
    files: its content.
    class_names: the classes of train for another split, which may lack some; None for train.

  Returns:
    The class names and the labeled images.

  Raises:
    DataError: see `arrange`.
  """
  by_class, unlabeled = _by_class(files.images, files.folders, '', FROM_FOLDER)
  if class_names is None:
    class_names = _check_train(str(where), by_class, unlabeled, FROM_FOLDER)
  else:
    _check_same_classes(where, class_names, 'this split', by_class)
  return tuple(class_names), _label(by_class, class_names)


def prefix_of(name: str) -> str | None:
  """Returns what precedes the number at the end of the name of a file, or None."""
  stem = name.rsplit('/', 1)[-1].rsplit('.', 1)[0]
  match = _PREFIX.match(stem)
  return match[1] if match and _LETTER.search(match[1]) else None


def _folder_around(names: Sequence[str], class_names: Sequence[str] | None, levels: int) -> str:
  """Returns the leading folders that all names share, with '/'; keeps the last `levels` parts."""
  parts = [name.split('/') for name in names]
  shared = 0
  while parts and all(len(p) > shared + levels and p[shared] == parts[0][shared] for p in parts):
    folder = parts[0][shared]
    if split_names.split_of(folder) or folder in (class_names or ()):
      break
    shared += 1
  return ''.join(f'{part}/' for part in (parts[0][:shared] if parts else ()))


def _splits_in(
  where: object,
  folders: Iterable[str],
  class_names: Sequence[str] | None,
  labels_from: str,
) -> dict[str, str]:
  """Returns the split of each folder, train first; empty if the folders are not splits."""
  contents: dict[str, set[str]] = {}
  for folder in folders:
    top, _, rest = folder.partition('/')
    if top:
      inner = contents.setdefault(top, set())
      if rest:
        inner.add(rest.split('/', 1)[0])
  if labels_from == FROM_PREFIX:
    are_splits = all(map(split_names.split_of, contents))
    contents = dict.fromkeys(contents, set()) if are_splits else {}
  return split_names.group_folders(where, contents, class_names)


def _by_split_folder(
  names: Sequence[str], split_of: Mapping[str, str]
) -> tuple[dict[str, list[str]], list[str]]:
  """Groups names by the folders of splits, or under ''; also returns those in none of these."""
  if not split_of:
    return {'': list(names)}, []
  by_folder: dict[str, list[str]] = {folder: [] for folder in split_of}
  others: list[str] = []
  for name in names:
    by_folder.get(name.partition('/')[0], others).append(name)
  return by_folder, others


def _by_class(
  names: Iterable[str], folders: Iterable[str], folder: str, labels_from: str
) -> tuple[dict[str, list[str]], list[str]]:
  """Groups the names of the images of a split by class, and returns those without a class."""
  prefix = f'{folder}/' if folder else ''
  by_class: dict[str, list[str]] = {}
  if labels_from == FROM_FOLDER:
    inside = (name.removeprefix(prefix) for name in folders if name.startswith(prefix))
    by_class = {name: [] for name in inside if name and '/' not in name}
  unlabeled = []
  for name in names:
    if labels_from == FROM_PREFIX:
      class_name = prefix_of(name)
    else:
      first, slash, _ = name.removeprefix(prefix).partition('/')
      class_name = first if slash else None
    if class_name is None:
      unlabeled.append(name)
    else:
      by_class.setdefault(class_name, []).append(name)
  return by_class, unlabeled


def _has_no_labels(by_class: Mapping[str, Sequence[str]], class_names: Collection[str]) -> bool:
  """Whether no image of a split is in a class of train; one folder may hold them all."""
  classes = {name for name, images in by_class.items() if images}
  return not classes & set(class_names) and len(classes) < 2


def _check_train(
  where: str,
  by_class: Mapping[str, Sequence[str]],
  unlabeled: Sequence[str],
  labels_from: str,
) -> tuple[str, ...]:
  """Returns the class names, after a check of the classes of the training split."""
  class_names = tuple(sorted(by_class))
  if len(class_names) < 2:
    names = [*unlabeled, *(name for images in by_class.values() for name in images)]
    kind = 'class folders' if labels_from == FROM_FOLDER else 'classes in the names of its files'
    raise DataError(
      f'{where} must contain at least two {kind}, found {len(class_names)}: '
      f'{", ".join(class_names) or "none"}.{_hint(names, labels_from)}'
    )
  check_class_names(class_names)
  if empty := [class_name for class_name in class_names if not by_class[class_name]]:
    raise DataError(
      f'{where} has class folders without images: {", ".join(empty)}. Remove them, or give a file '
      'of all classes as --labels.'
    )
  if unlabeled and labels_from == FROM_PREFIX:
    raise DataError(f'{where}: the names of {_some(unlabeled)} do not end in a number.')
  return class_names


def _hint(names: Sequence[str], labels_from: str) -> str:
  """Returns the way out where the names of images contain their classes."""
  by_class, others = _by_class(names, (), '', FROM_PREFIX)
  if labels_from != FROM_FOLDER or others or len(by_class) < 2:
    return ''
  first, second = (names[0].rsplit('/', 1)[-1] for names in list(by_class.values())[:2])
  return (
    f' Its images are named like {first} and {second}: --labels_from=prefix takes the classes from '
    f'these names ({counted(len(by_class), "class")}: {listed(sorted(by_class))}).'
  )


def _some(names: Sequence[str]) -> str:
  return f'{counted(len(names), "image")} ({listed(sorted(names), 3)})'


def _check_listed(
  where: str, by_class: Mapping[str, Sequence[str]], class_names: Collection[str]
) -> None:
  if unknown := sorted(name for name in set(by_class) - set(class_names) if by_class[name]):
    raise DataError(f'{where} has class folders that --labels does not name: {", ".join(unknown)}.')


def _check_same_classes(
  where: object, train: Collection[str], folder: str, by_class: Mapping[str, Sequence[str]]
) -> None:
  """Raises a DataError if a split has images of classes that train does not have."""
  if unknown := sorted(name for name in set(by_class) - set(train) if by_class[name]):
    raise DataError(
      f'{where}: the class folders of train and {folder} differ: only in train '
      f'{sorted(set(train) - set(by_class))}, only in {folder} {unknown}.'
    )


def _label(by_class: Mapping[str, Sequence[str]], class_names: Sequence[str]) -> Listing:
  names_of_classes = [sorted(by_class.get(class_name, ())) for class_name in class_names]
  names = [name for class_ in names_of_classes for name in class_]
  labels = [label for label, class_ in enumerate(names_of_classes) for _ in class_]
  return Listing(names, labels)
