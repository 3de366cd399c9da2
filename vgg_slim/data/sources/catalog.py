"""Opens labeled images in any of the formats in which data sets are published. No TensorFlow."""

import functools
import pathlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from vgg_slim import files, similar_paths
from vgg_slim.data.sources import (
  cifar,
  class_layout,
  foreign_records,
  idx,
  image_archive,
  image_folder,
  image_list,
  imagenet,
  npz_arrays,
)
from vgg_slim.data.sources.labeled_images import (
  LabeledImage,
  Source,
  classes_of,
  from_arrays,
  with_classes,
)
from vgg_slim.errors import ConfigError, DataError

__all__ = ['DATASETS', 'LabeledImage', 'Source', 'open_source']


def open_source(
  dataset: str,
  input_dir: str | pathlib.Path | None = None,
  class_names: Sequence[str] | None = None,
  labels_from: str = class_layout.FROM_FOLDER,
) -> Source:
  """Opens a data set.

  Args:
    dataset: one of DATASETS.
    input_dir: folder or file of the data set; see DATASETS.
    class_names: all classes in the order of their labels; some may have no images. By default the
      classes of the data set in its own order.
    labels_from: see `class_layout.arrange`; for folders and archives of images.

  Raises:
    ConfigError: the dataset is unknown, or an argument is missing or not allowed.
    DataError: the files are missing or damaged.
  """
  if dataset not in DATASETS:
    raise ConfigError(f'dataset must be one of {", ".join(DATASETS)}, got {dataset!r}.')
  kind = DATASETS[dataset]
  if kind.input is None and input_dir:
    raise ConfigError(f'dataset={dataset} takes no input_dir, got {str(input_dir)!r}.')
  if kind.input and not (input_dir or kind.default_dir):
    raise ConfigError(f'dataset={dataset} needs an input_dir.')
  if labels_from != class_layout.FROM_FOLDER and not kind.has_class_folders:
    kinds = ', '.join(name for name, each in DATASETS.items() if each.has_class_folders)
    raise ConfigError(f'labels_from={labels_from} is for {kinds}, not for dataset={dataset}.')
  path = pathlib.Path(input_dir or kind.default_dir)
  if kind.input and not kind.default_dir and not path.exists():
    if link := files.dead_link(path):
      raise DataError(f'input_dir {path}: {link}.')
    raise DataError(f'input_dir {path} does not exist.{similar_paths.suggest(path)}')
  if dataset == 'folder' and path.is_file():
    raise DataError(
      f'input_dir {path} is a file; --dataset=tar or zip reads an archive, and --dataset=list a '
      'text file that lists images.'
    )
  try:
    source = (
      kind.open(path, class_names, labels_from) if kind.has_class_folders else kind.open(path)
    )
    return source if class_names is None else with_classes(source, class_names)
  except OSError as error:
    raise DataError(f'{dataset} cannot be read: {error}') from error


def _digits(_: pathlib.Path) -> Source:
  from sklearn import datasets  # takes about a second, needed for this data set only

  bunch = datasets.load_digits()
  # The values are integers in 0..16.
  images = np.rint(bunch.images * (255 / 16)).astype(np.uint8)
  names = tuple(str(name) for name in bunch.target_names)
  return from_arrays('digits', names, {'train': (images, bunch.target)}, mirror_safe=False)


def _fashion_mnist(path: pathlib.Path) -> Source:
  arrays = idx.read_fashion_mnist(path)
  return from_arrays('fashion_mnist', idx.FASHION_MNIST_CLASSES, arrays, mirror_safe=True)


def _idx(path: pathlib.Path) -> Source:
  class_names, arrays = classes_of(idx.read_idx_folder(path))
  return from_arrays('idx', class_names, arrays, mirror_safe=False)


def _cifar(dataset: str, path: pathlib.Path) -> Source:
  class_names, arrays = cifar.read_cifar(dataset, path)
  return from_arrays(dataset, class_names, arrays, mirror_safe=True)


class _Kind(NamedTuple):
  """A kind of data set.

  Attributes:
    open: function that opens the folder or file.
    input: description of input_dir for users; None if the data set takes none.
    default_dir: folder to use by default.
    has_class_folders: whether `open` also takes the names of all classes, so that class folders may
      be missing, and `labels_from`.
  """

  open: Callable[..., Source]
  input: str | None
  default_dir: str = ''
  has_class_folders: bool = False


_CIFAR = 'the archive, or the folder of the extracted files'

DATASETS = {
  'folder': _Kind(
    image_folder.open_folder,
    'a folder with one folder of images per class, or with train (and validation, test) folders of '
    'these',
    has_class_folders=True,
  ),
  'tar': _Kind(
    image_archive.open_archive,
    'a tar archive of such folders, compressed or not',
    has_class_folders=True,
  ),
  'zip': _Kind(image_archive.open_archive, 'a zip archive of such folders', has_class_folders=True),
  'list': _Kind(
    image_list.open_list,
    'a text file with path,label or path,label,split per line, with or without a header',
  ),
  'imagenet': _Kind(
    imagenet.open_imagenet,
    'a folder with train/SYNSET folders, val and a list of the validation labels',
  ),
  'tfrecord': _Kind(
    foreign_records.open_records,
    "a folder of TFRecords in research/slim's or TFDS's format: train, validation and test shards, "
    'labels.txt',
  ),
  'npz': _Kind(npz_arrays.open_npz, 'a .npz file of x_train, y_train, x_test, ... or the like'),
  'idx': _Kind(_idx, "a folder of files with MNIST's names"),
  'digits': _Kind(_digits, None),
  'fashion_mnist': _Kind(_fashion_mnist, 'the folder of the IDX files', idx.FASHION_MNIST_DIR),
  **{
    name: _Kind(functools.partial(_cifar, name), _CIFAR)
    for name in ('cifar10', 'cifar100', 'cifar100_coarse')
  },
}
