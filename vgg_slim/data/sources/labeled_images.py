"""What a source of pictures is, before conversion. No TensorFlow.

A label is the place of its class in `Source.class_names`.
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
  """One picture of a source.

  Attributes:
    name: such as 'cat/001.jpg' or 'train/00017'; no two of a split are equal.
    label: place of the class in `Source.class_names`.
    read: returns the encoded picture, or its pixels, uint8 [H, W] or [H, W, 3]; raises OSError.
      Worker processes are sent it, so it can be pickled.
  """

  name: str
  label: int
  read: Callable[[], bytes | np.ndarray]


@dataclasses.dataclass(frozen=True)
class Source:
  """A data set before conversion.

  Attributes:
    dataset: a name of sources.DATASETS.
    class_names: in the order of the labels.
    splits: 'train' and perhaps 'validation' and 'test', in an order that never changes.
    mirror_safe: whether a horizontally flipped image still belongs to its class.
    fingerprint: digest of the input files; changes whenever any image may have changed. An
      interrupted conversion is resumed only if the fingerprint is the same.
    skipped_files: names of files that are not images and were skipped.
    classes_given: whether the user listed the classes, in which case some may have no images.
  """

  dataset: str
  class_names: tuple[str, ...]
  splits: Mapping[str, Sequence[LabeledImage]]
  mirror_safe: bool
  fingerprint: str = ''
  skipped_files: tuple[str, ...] = ()
  classes_given: bool = False

  @property
  def num_classes(self) -> int:
    return len(self.class_names)


class FileImages(Sequence):
  """Pictures in files of their own, made when asked for: a million names are all that is held.

  Args:
    root: folder that the names are relative to.
    names: paths below `root`, with '/'.
    labels: one for each name.
    prefix: what goes before the names to tell splits apart, such as 'train/'.
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

  def __getitem__(self, index: int) -> LabeledImage:
    name = self._names[index]
    read = functools.partial(_read_file, os.path.join(self._root, name))
    return LabeledImage(self._prefix + name, int(self._labels[index]), read)


class ArrayImages(Sequence):
  """Pictures of one array, uint8 [N, H, W] or [N, H, W, 3], made when asked for."""

  def __init__(self, split: str, images: np.ndarray, labels: np.ndarray):
    self._split = split
    self._images = images
    self._labels = labels

  def __len__(self) -> int:
    return len(self._labels)

  def __getitem__(self, index: int) -> LabeledImage:
    read = functools.partial(np.ascontiguousarray, self._images[index])
    return LabeledImage(f'{self._split}/{index:05d}', int(self._labels[index]), read)


class RelabeledImages(Sequence):
  """Images with other labels: `labels[i]` in the place of i."""

  def __init__(self, images: Sequence[LabeledImage], labels: Sequence[int]):
    self._images = images
    self._labels = labels

  def __len__(self) -> int:
    return len(self._images)

  def __getitem__(self, index: int) -> LabeledImage:
    image = self._images[index]
    return image._replace(label=self._labels[image.label])


def with_classes(source: Source, class_names: Sequence[str]) -> Source:
  """The source with all of `class_names`, in this order, some of which may have no image.

  Raises:
    DataError: the source has other classes; all are named.
  """
  if unknown := [name for name in source.class_names if name not in set(class_names)]:
    raise DataError(
      f'{source.dataset} has classes that --labels does not name: {", ".join(unknown)}.'
    )
  place = {name: label for label, name in enumerate(class_names)}
  labels = [place[name] for name in source.class_names]
  splits = {name: RelabeledImages(images, labels) for name, images in source.splits.items()}
  return dataclasses.replace(
    source, class_names=tuple(class_names), splits=splits, classes_given=True
  )


def from_arrays(
  dataset: str, class_names: Sequence[str], arrays: Arrays, mirror_safe: bool
) -> Source:
  """Makes a source of arrays.

  Raises:
    DataError: a label without a class.
  """
  state = hashlib.sha256()
  for split, (images, labels) in arrays.items():
    if len(labels) and labels.max() >= len(class_names):
      raise DataError(
        f'{dataset}, {split}: label {labels.max()} comes, but there are only '
        f'{len(class_names)} classes.'
      )
    for array in (images, labels):
      state.update(repr((split, array.shape, array.dtype)).encode())
      state.update(np.ascontiguousarray(array))
  splits = {name: ArrayImages(name, *pair) for name, pair in arrays.items()}
  return Source(dataset, tuple(class_names), splits, mirror_safe, state.hexdigest())


def fingerprint_files(paths: Sequence[str | os.PathLike]) -> str:
  """Digest of path, size and time of change of files; a file that is not there counts as such."""
  state = hashlib.sha256()
  for path in paths:
    try:
      status = os.stat(path)
      stamp = (status.st_size, status.st_mtime_ns)
    except OSError:
      stamp = None
    state.update(f'{os.fspath(path)}\0{stamp}\n'.encode('utf-8', 'surrogateescape'))
  return state.hexdigest()


def _read_file(path: str) -> bytes:
  if not stat.S_ISREG(os.stat(path).st_mode):
    raise OSError('not a regular file')  # a pipe would keep its reader waiting for ever
  with open(path, 'rb') as stream:
    return stream.read()
