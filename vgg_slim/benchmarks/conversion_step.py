"""A conversion whose source images are generated while it reads them. No TensorFlow."""

import functools
import pathlib
import tempfile
from collections.abc import Callable, Sequence

import numpy as np

from vgg_slim.benchmarks.workload import Workload
from vgg_slim.data.conversion import converter
from vgg_slim.data.sources.labeled_images import LabeledImage, Source

_CLASSES = ('even', 'odd')


class NoiseImages(Sequence[LabeledImage]):
  """Noise images, all different, generated on reading: a million of them takes no memory.

  Args:
    count: number of images.
    side: height and width of each image, in pixels.
  """

  def __init__(self, count: int, side: int):
    self._seeds = range(count)
    self._side = side

  def __len__(self) -> int:
    return len(self._seeds)

  def __getitem__(self, index: int) -> LabeledImage:  # type: ignore[override]  # no slices
    seed = self._seeds[index]
    read = functools.partial(_noise, seed, self._side)
    return LabeledImage(f'{seed:07d}', seed % len(_CLASSES), read)


def build_step(workload: Workload) -> Callable[[], None]:
  """Returns a function that converts `batch_size` images with `threads` workers.

  The function deletes the data set that it has written.
  """
  images = NoiseImages(workload.batch_size, workload.image_size)
  source = Source('npz', _CLASSES, {'train': images}, mirror_safe=True)

  def convert() -> None:
    with tempfile.TemporaryDirectory() as folder:
      converter.convert(source, pathlib.Path(folder) / 'data', num_workers=workload.threads)

  return convert


def _noise(seed: int, side: int) -> np.ndarray:
  """Returns noise, uint8 [side, side, 3]."""
  return np.random.default_rng(seed).integers(0, 256, [side, side, 3], np.uint8)
