"""Labeled images of a data set before its conversion. No TensorFlow.

A label is the index of a class in `Source.class_names`.
"""

import dataclasses
import functools
import hashlib
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from vgg_slim.errors import DataError

# {'train': (images uint8 [N, H, W] or [N, H, W, 3], labels [N]), ...}
Arrays = Mapping[str, tuple[np.ndarray, np.ndarray]]


class LabeledImage(NamedTuple):
  """One image of a source.

  Attributes:
    name: name such as 'cat/001.jpg' or 'train/00017', unique within its split.
    label: index of the class in `Source.class_names`.
    read: function that returns the encoded image, or its pixels, uint8 [H, W] or [H, W, 3], or
      raises OSError. It is sent to worker processes, so it must be picklable.
  """

  name: str
  label: int
  read: Callable[[], bytes | np.ndarray]


@dataclasses.dataclass(frozen=True)
class Source:
  """A data set before conversion.

  Attributes:
    dataset: kind of source, a key of `catalog.DATASETS`.
    class_names: class names in the order of the labels.
    splits: images by split: 'train' and possibly 'validation' and 'test'. The order of the images
      never changes.
    mirror_safe: whether a horizontally flipped image still belongs to its class.
    fingerprint: digest of the input files; changes whenever any image may have changed. An
      interrupted conversion is resumed only if the fingerprint is the same.
    skipped_files: names of files that are not images and were skipped.
    classes_given: whether the user listed the classes, in which case some may have no images.
    notes: sentences for users about what was guessed or left out.
  """

  dataset: str
  class_names: tuple[str, ...]
  splits: Mapping[str, Sequence[LabeledImage]]
  mirror_safe: bool
  fingerprint: str = ''
  skipped_files: tuple[str, ...] = ()
  classes_given: bool = False
  notes: tuple[str, ...] = ()

  @property
  def num_classes(self) -> int:
    return len(self.class_names)


class FileImages(Sequence[LabeledImage]):
  """Images in one file each, created on access: only names and labels are kept in memory.

  Args:
    root: folder that the names are relative to.
    names: paths below `root`, with '/'.
    labels: label of each name.
    prefix: prefix of the image names that distinguishes splits, such as 'train/'.
  """

  def __init__(
    self, root: str | os.PathLike, names: Sequence[str], labels: Sequence[int], prefix: str = ''
  ):
    self._root = os.fspath(root)
    self._names = names
    self._labels = labels
    self._prefix = prefix

  def __len__(self) -> int:
    return len(self._names)

  def __getitem__(self, index: int) -> LabeledImage:  # type: ignore[override]  # no slices
    name = self._names[index]
    read = functools.partial(read_regular_file, os.path.join(self._root, name))
    return LabeledImage(self._prefix + name, int(self._labels[index]), read)


class ArrayImages(Sequence[LabeledImage]):
  """Images of one array, uint8 [N, H, W] or [N, H, W, 3], created on access."""

  def __init__(self, split: str, images: np.ndarray, labels: np.ndarray):
    self._split = split
    self._images = images
    self._labels = labels

  def __len__(self) -> int:
    return len(self._labels)

  def __getitem__(self, index: int) -> LabeledImage:  # type: ignore[override]  # no slices
    read = functools.partial(np.ascontiguousarray, self._images[index])
    return LabeledImage(f'{self._split}/{index:05d}', int(self._labels[index]), read)


class RelabeledImages(Sequence[LabeledImage]):
  """Images whose label i is replaced by `labels[i]`."""

  def __init__(self, images: Sequence[LabeledImage], labels: Sequence[int]):
    self._images = images
    self._labels = labels

  def __len__(self) -> int:
    return len(self._images)

  def __getitem__(self, index: int) -> LabeledImage:  # type: ignore[override]  # no slices
    image = self._images[index]
    return image._replace(label=self._labels[image.label])


def with_classes(source: Source, class_names: Sequence[str]) -> Source:
  """Returns the source with `class_names` as its classes; some of them may have no images.

  Raises:
    DataError: the source has classes that are not in `class_names`; all are named.
  """
  if unknown := [name for name in source.class_names if name not in set(class_names)]:
    raise DataError(
      f'{source.dataset} has classes that --labels does not name: {", ".join(unknown)}.'
    )
  label_of = {name: label for label, name in enumerate(class_names)}
  labels = [label_of[name] for name in source.class_names]
  splits = {name: RelabeledImages(images, labels) for name, images in source.splits.items()}
  return dataclasses.replace(
    source, class_names=tuple(class_names), splits=splits, classes_given=True
  )


def from_arrays(
  dataset: str, class_names: Sequence[str], arrays: Arrays, mirror_safe: bool
) -> Source:
  """Returns a source of the images in arrays.

  Raises:
    DataError: a label has no class.
  """
  digest = hashlib.sha256()
  for split, (images, labels) in arrays.items():
    if len(labels) and labels.max() >= len(class_names):
      raise DataError(
        f'{dataset}, {split}: label {labels.max()} occurs, but the classes are only '
        f'0 to {len(class_names) - 1}.'
      )
    for array in (images, labels):
      digest.update(repr((split, array.shape, array.dtype)).encode())
      digest.update(np.ascontiguousarray(array).data)
  splits = {name: ArrayImages(name, *pair) for name, pair in arrays.items()}
  return Source(dataset, tuple(class_names), splits, mirror_safe, digest.hexdigest())


def classes_of(arrays: Arrays) -> tuple[tuple[str, ...], dict[str, tuple[np.ndarray, np.ndarray]]]:
  """Makes a class of each label that occurs.

  Returns:
    The labels as class names, ascending, and the arrays with the indices of these classes.
  """
  occurring = np.unique(np.concatenate([labels for _, labels in arrays.values()]))
  return tuple(map(str, occurring.tolist())), {
    split: (images, np.searchsorted(occurring, labels))
    for split, (images, labels) in arrays.items()
  }


def fingerprint_files(paths: Sequence[str | os.PathLike]) -> str:
  """Returns a digest of the paths, sizes and modification times of files, missing ones included."""
  digest = hashlib.sha256()
  for path in paths:
    try:
      status = os.stat(path)
      stamp = (status.st_size, status.st_mtime_ns)
    except OSError:
      stamp = None
    digest.update(f'{os.fspath(path)}\0{stamp}\n'.encode('utf-8', 'surrogateescape'))
  return digest.hexdigest()


def read_regular_file(path: str | os.PathLike) -> bytes:
  """Returns the bytes of a file; raises OSError, also for what is not a regular file."""
  if '\0' in os.fspath(path):
    raise OSError('a file name cannot contain the character NUL')
  if not stat.S_ISREG(os.stat(path).st_mode):
    raise OSError('not a regular file')  # reading a pipe would block forever
  with open(path, 'rb') as stream:
    return stream.read()
