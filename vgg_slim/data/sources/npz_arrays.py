"""Images and labels in one `.npz` file, as Keras, MedMNIST and many papers publish them.

No TensorFlow.
"""

import pathlib

import numpy as np

from vgg_slim import array_archives
from vgg_slim.data.sources.labeled_images import Source, classes_of, from_arrays
from vgg_slim.errors import DataError
from vgg_slim.wording import counted

# Accepted names of the arrays of a split, as pairs (images, labels).
_SPLIT_NAMES = {
  'train': (('x_train', 'y_train'), ('train_images', 'train_labels'), ('images', 'labels')),
  'validation': (('x_val', 'y_val'), ('val_images', 'val_labels')),
  'test': (('x_test', 'y_test'), ('test_images', 'test_labels')),
}
_CLASS_NAMES = 'class_names'


def open_npz(path: pathlib.Path) -> Source:
  """Opens a file of arrays `x_train` and `y_train`, `train_images` and `train_labels`, or similar.

  Images are uint8 [N, H, W], [N, H, W, 1] or [N, H, W, 3]; labels are integers [N] or [N, 1].
  The class names are the labels that occur unless there is an array `class_names`. Gray images are
  not mirrored by default. Pickled arrays are refused.

  Raises:
    DataError: the file is not of this kind; says which arrays it has.
  """
  arrays = _read(path)
  splits, problems = {}, []
  for split, pairs in _SPLIT_NAMES.items():
    for images_name, labels_name in pairs:
      if images_name in arrays and labels_name in arrays:
        images, labels = arrays[images_name], arrays[labels_name]
        problems += _problems(images_name, images, labels_name, labels)
        splits[split] = (images, labels)
        break
  if 'train' not in splits:
    expected = ' or '.join(' and '.join(pair) for pair in _SPLIT_NAMES['train'])
    raise DataError(f'{path} needs {expected}; it has {", ".join(sorted(arrays)) or "nothing"}.')
  if problems:
    raise DataError(f'{path}: {"; ".join(problems)}.')
  splits = {
    name: (_drop_gray_channel(images), labels.reshape(-1))
    for name, (images, labels) in splits.items()
  }
  if _CLASS_NAMES in arrays:
    try:
      class_names = tuple(array_archives.texts(arrays[_CLASS_NAMES]))
    except ValueError as error:
      raise DataError(f'{path}, {_CLASS_NAMES}: {error}.') from error
  else:
    class_names, splits = classes_of(splits)
  # Gray arrays are mostly digits and letters, as in MNIST.
  has_colors = all(images.ndim == 4 for images, _ in splits.values())
  return from_arrays('npz', class_names, splits, mirror_safe=has_colors)


def _read(path: pathlib.Path) -> dict[str, np.ndarray]:
  try:
    with array_archives.open_arrays(path) as arrays:
      return dict(arrays)
  except ValueError as error:
    raise DataError(f'{path} is not a .npz file of plain arrays: {error}.') from error


def _problems(
  images_name: str, images: np.ndarray, labels_name: str, labels: np.ndarray
) -> list[str]:
  problems = []
  is_gray = images.ndim == 3 or (images.ndim == 4 and images.shape[3] == 1)
  if images.dtype != np.uint8 or not (is_gray or (images.ndim == 4 and images.shape[3] == 3)):
    problems.append(
      f'{images_name} must be uint8 [N, H, W], [N, H, W, 1] or [N, H, W, 3], '
      f'got {images.dtype} {list(images.shape)}'
    )
  is_list = labels.ndim == 1 or (labels.ndim == 2 and labels.shape[1] == 1)
  if labels.dtype.kind not in 'iu' or not is_list or (labels < 0).any():
    problems.append(
      f'{labels_name} must be non-negative integers [N] or [N, 1], '
      f'got {labels.dtype} {list(labels.shape)}'
    )
  if images.ndim and labels.ndim and len(images) != len(labels):
    problems.append(
      f'{images_name} has {counted(len(images), "image")}, '
      f'{labels_name} {counted(len(labels), "label")}'
    )
  return problems


def _drop_gray_channel(images: np.ndarray) -> np.ndarray:
  return images[..., 0] if images.ndim == 4 and images.shape[3] == 1 else images
