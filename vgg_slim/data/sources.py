"""Labelled pictures as their authors give them: folders, digits, Fashion-MNIST, CIFAR-10.

No TensorFlow. A label is the place of its class in `Source.class_names`.
"""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from vgg_slim.data import cifar, idx, pictures
from vgg_slim.data.labels import check_class_names
from vgg_slim.errors import ConfigError, DataError

DATASETS = ('folder', 'digits', 'fashion_mnist', 'cifar10')

# Files of other names in a class folder are passed over. HEIC is here so that it stops the
# conversion, as Pillow cannot read it, and does not drop out of the data set unseen.
IMAGE_EXTENSIONS = frozenset(
  ('.jpg', '.jpeg', '.jpe', '.jfif', '.png', '.apng', '.bmp', '.dib', '.gif', '.webp', '.tif')
  + ('.tiff', '.pbm', '.pgm', '.ppm', '.pnm', '.tga', '.jp2', '.avif', '.heic', '.heif')
)

# A folder with `train` and nothing but these holds splits, each a folder of class folders.
_SPLIT_FOLDERS = {'train': 'train', 'validation': 'validation', 'val': 'validation', 'test': 'test'}


class LabeledImage(NamedTuple):
  """One picture of a source.

  Attributes:
    name: such as 'cat/001.jpg' or 'train/00017'; no two of a split are equal.
    label: place of the class in `Source.class_names`.
    read: returns the encoded picture; raises OSError.
  """

  name: str
  label: int
  read: Callable[[], bytes]


@dataclasses.dataclass(frozen=True)
class Source:
  """A data set before conversion.

  Attributes:
    dataset: a name of DATASETS.
    class_names: in the order of the labels.
    splits: 'train' and perhaps 'validation' and 'test', in an order that never changes.
    mirror_safe: whether a left-right mirrored picture is still one of its class.
  """

  dataset: str
  class_names: tuple[str, ...]
  splits: dict[str, Sequence[LabeledImage]]
  mirror_safe: bool


def open_source(dataset: str, input_dir: str | pathlib.Path | None = None) -> Source:
  """Opens a data set.

  Args:
    dataset: a name of DATASETS.
    input_dir: 'folder': holds one folder of pictures per class, or `train` (and `validation`,
      `test`) folders of these; 'cifar10': see cifar.read_cifar10; 'fashion_mnist': the folder of
      the IDX files, Debian's by default; 'digits': none, scikit-learn brings the pictures.

  Raises:
    ConfigError: unknown dataset, or an input_dir missing or out of place.
    DataError: nothing there, or broken files.
  """
  if dataset not in DATASETS:
    raise ConfigError(f'dataset must be one of {", ".join(DATASETS)}, got {dataset!r}.')
  try:
    return _open_source(dataset, input_dir)
  except OSError as error:
    raise DataError(f'{dataset} cannot be read: {error}') from error


def _open_source(dataset: str, input_dir: str | pathlib.Path | None) -> Source:
  if dataset == 'digits':
    if input_dir:
      raise ConfigError(f'dataset=digits takes no input_dir, got {str(input_dir)!r}.')
    return _digits()
  if dataset == 'fashion_mnist':
    arrays = idx.read_fashion_mnist(pathlib.Path(input_dir or idx.FASHION_MNIST_DIR))
    return _from_arrays(dataset, idx.FASHION_MNIST_CLASSES, arrays, mirror_safe=True)
  if not input_dir:
    raise ConfigError(f'dataset={dataset} needs an input_dir.')
  path = pathlib.Path(input_dir)
  if not path.exists():
    raise DataError(f'input_dir {path} does not exist.')
  if dataset == 'cifar10':
    class_names, arrays = cifar.read_cifar10(path)
    return _from_arrays(dataset, class_names, arrays, mirror_safe=True)
  return _folder(path)


def list_image_folder(root: str | pathlib.Path) -> tuple[tuple[str, ...], list[LabeledImage]]:
  """Lists a folder of class folders.

  Hidden files and folders, and files whose extension is not in IMAGE_EXTENSIONS (in any case), are
  passed over. Folders inside a class folder belong to the class; links to folders are followed
  only at the class level.

  Returns:
    class names and pictures, both sorted by name, so that labels never depend on the file system.

  Raises:
    DataError: no folder, fewer than two classes, classes without pictures (all are named), or
      class names that no label file can hold.
  """
  root = pathlib.Path(root)
  class_names = tuple(_list_folders(root))
  if len(class_names) < 2:
    raise DataError(
      f'{root} must hold at least two class folders, it has {len(class_names)}: '
      f'{", ".join(class_names) or "none"}.'
    )
  check_class_names(class_names)
  images = []
  empty = []
  for label, class_name in enumerate(class_names):
    names = _list_images(root / class_name)
    if not names:
      empty.append(class_name)
    for name in names:
      read = functools.partial(_read_file, os.path.join(root, class_name, name))
      images.append(LabeledImage(f'{class_name}/{name}', label, read))
  if empty:
    raise DataError(f'{root} has class folders without pictures: {", ".join(empty)}.')
  return class_names, images


def _folder(root: pathlib.Path) -> Source:
  folders = _list_folders(root)
  if 'train' not in folders or not set(folders) <= set(_SPLIT_FOLDERS):
    class_names, images = list_image_folder(root)
    return Source('folder', class_names, {'train': images}, mirror_safe=True)
  if {'val', 'validation'} <= set(folders):
    raise DataError(f'{root} has both a val and a validation folder.')
  class_names, train_images = list_image_folder(root / 'train')
  splits = {'train': _in_split('train', train_images)}
  for name in (name for name in _SPLIT_FOLDERS if name != 'train' and name in folders):
    other_names, images = list_image_folder(root / name)
    if other_names != class_names:
      raise DataError(
        f'{root}: the class folders of train and {name} differ: '
        f'only in train {sorted(set(class_names) - set(other_names))}, '
        f'only in {name} {sorted(set(other_names) - set(class_names))}.'
      )
    splits[_SPLIT_FOLDERS[name]] = _in_split(name, images)
  return Source('folder', class_names, splits, mirror_safe=True)


def _in_split(folder: str, images: Sequence[LabeledImage]) -> list[LabeledImage]:
  return [image._replace(name=f'{folder}/{image.name}') for image in images]


def _list_folders(root: pathlib.Path) -> list[str]:
  with os.scandir(root) as entries:
    return sorted(e.name for e in entries if e.is_dir() and not e.name.startswith('.'))


def _list_images(folder: pathlib.Path) -> list[str]:
  """Names of the pictures below `folder`, relative to it, with '/', sorted."""
  names = []
  for where, folders, files in os.walk(folder, onerror=_raise):
    folders[:] = [name for name in folders if not name.startswith('.')]
    inside = pathlib.Path(where).relative_to(folder)
    names += [(inside / name).as_posix() for name in files if _is_image(name)]
  return sorted(names)


def _is_image(name: str) -> bool:
  extension = os.path.splitext(name)[1].lower()
  return extension in IMAGE_EXTENSIONS and not name.startswith('.')


def _raise(error: OSError) -> None:
  raise error


def _read_file(path: str) -> bytes:
  with open(path, 'rb') as stream:
    return stream.read()


def _digits() -> Source:
  from sklearn import datasets  # about a second, for this data set only

  bunch = datasets.load_digits()
  # Values are whole numbers 0..16.
  images = np.rint(bunch.images * (255 / 16)).astype(np.uint8)
  names = tuple(str(name) for name in bunch.target_names)
  return _from_arrays('digits', names, {'train': (images, bunch.target)}, mirror_safe=False)


def _from_arrays(
  dataset: str, class_names: Sequence[str], arrays: cifar.Arrays, mirror_safe: bool
) -> Source:
  """Makes a source of uint8 [N, H, W] or [N, H, W, 3] and labels [N] per split."""
  splits = {}
  for split, (images, labels) in arrays.items():
    if len(labels) and labels.max() >= len(class_names):
      raise DataError(
        f'{dataset}, {split}: label {labels.max()} comes, but there are only '
        f'{len(class_names)} classes.'
      )
    splits[split] = [
      LabeledImage(f'{split}/{i:05d}', int(label), functools.partial(pictures.encode_png, image))
      for i, (image, label) in enumerate(zip(images, labels, strict=True))
    ]
  return Source(dataset, tuple(class_names), splits, mirror_safe)
