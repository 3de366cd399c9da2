"""The names that people give to splits, and how folders of splits are told from classes.

No TensorFlow.
"""

import re
from collections.abc import Collection, Iterable, Mapping

from vgg_slim.data.manifest import SPLITS
from vgg_slim.errors import DataError
from vgg_slim.wording import listed

_NAMES = {
  **dict.fromkeys(('train', 'training', 'trn'), 'train'),
  **dict.fromkeys(
    ('validation', 'valid', 'validate', 'val', 'dev', 'devel', 'development', 'eval', 'evaluation'),
    'validation',
  ),
  **dict.fromkeys(('test', 'testing', 'tst'), 'test'),
}
# training_set, test-data, TrainImages, test1: what may follow a name.
_SUFFIX = re.compile(r'[ ._-]?(?:(?:set|data|dataset|split|images|imgs|img|folder)|\d)$')
EXAMPLES = 'train, validation and test, or names such as training_set, Val, dev and testing'


def split_of(name: str) -> str | None:
  """Returns the split that a folder, a column or a word names in any case, or None."""
  name = name.strip().lower()
  return _NAMES.get(name) or _NAMES.get(_SUFFIX.sub('', name))


def group_folders(
  where: object, contents: Mapping[str, Iterable[str]], class_names: Collection[str] | None = None
) -> dict[str, str]:
  """Decides whether folders are splits or classes.

  Args:
    where: folder or archive to name in messages.
    contents: names of the folders in each folder; a folder that holds images directly has none.
    class_names: all classes, where the user lists them; folders with these names are classes.

  Returns:
    The split of each folder, in the order of SPLITS; empty if the folders are classes.

  Raises:
    DataError: two folders name the same split, none is for training, or folders look like splits
      by what they hold but not by their names; says what they look like and the way out.
  """
  if class_names is not None and set(contents) <= set(class_names):
    return {}
  inner = {name: frozenset(folders) for name, folders in contents.items()}
  split_by_folder = {name: split for name in inner if (split := split_of(name))}
  others = sorted(set(inner) - set(split_by_folder))
  if split_by_folder and not others:
    _check_splits(where, split_by_folder)
    return dict(sorted(split_by_folder.items(), key=lambda pair: SPLITS.index(pair[1])))
  nested = {name for name, folders in inner.items() if len(folders) > 1}
  if others and nested & {name for name, split in split_by_folder.items() if split == 'train'}:
    raise DataError(
      f'{where}: {listed(sorted(nested & set(split_by_folder)))} looks like a split, but '
      f'{listed(others)} beside it is not the name of one. Name the folders of splits '
      f'{EXAMPLES}, and move all others elsewhere.'
    )
  shared = next(iter(inner.values()), frozenset())
  if len(inner) > 1 and nested == set(inner) and set(inner.values()) == {shared}:
    raise DataError(_looks_nested(where, sorted(inner), sorted(shared)))
  return {}


def _check_splits(where: object, split_by_folder: Mapping[str, str]) -> None:
  for split in SPLITS:
    names = sorted(name for name, value in split_by_folder.items() if value == split)
    if len(names) > 1:
      raise DataError(f'{where}: the folders {listed(names)} both name the {split} split.')
  if 'train' not in split_by_folder.values():
    raise DataError(
      f'{where} has folders of splits, {listed(sorted(split_by_folder))}, but none '
      'for training. If these are classes, give a file of all classes as --labels.'
    )


def _looks_nested(where: object, outer: list[str], inner: list[str]) -> str:
  if all(map(split_of, inner)):
    hint = f'splits within classes: expected {inner[0]}/{outer[0]}, found {outer[0]}/{inner[0]}'
  else:
    hint = f'splits with unknown names; name them {EXAMPLES}'
  return (
    f'{where}: each of its folders, {listed(outer)}, has the same folders, {listed(inner)}. This '
    f'looks like {hint}. If the outer folders are classes, give their names with --labels.'
  )
