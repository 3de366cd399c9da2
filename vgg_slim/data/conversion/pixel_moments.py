"""Mean, standard deviation and covariance of R, G, B over many images, in exact integers.

The moments of an image are a 4x4 matrix of integers, the sum over its pixels of the outer product
of (1, R, G, B) with itself: its corner is the number of pixels, the rest of the first row the sums,
the remainder the sums of products. The matrices of several images are added. No TensorFlow.

For large splits, most images contribute only the matrix of their means of 8x8 blocks, and a sample
contributes both matrices. The difference between the two in the sample, mostly the variance within
blocks, corrects the other images. Measured on 1200 photographs with a sample of 150: the mean was
off by at most 0.1 (of 0..255) and the standard deviation by 0.3 %. From the sample alone the mean
would be off by 4.5; from block means alone the standard deviation would be 4 % too small.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from PIL import Image

from vgg_slim.preprocessing.description import Rgb

SHAPE = (4, 4, 4)  # shape of `MomentCounter.moments`
_GRAY_AS_RGB = np.ix_((0, 1, 1, 1), (0, 1, 1, 1))
_PIXELS_PER_MEAN = 64
_STRIP = 2**16  # pixels whose products, at most 255 * 255 each, have a sum below 2**32


class RgbStatistics(NamedTuple):
  """Statistics of R, G, B over all counted pixels, on the scale 0..255.

  Attributes:
    mean: mean of each channel.
    std: standard deviation of each channel, the square root of the covariance's diagonal.
    covariance: 3x3 covariance matrix, normalized by the number of pixels.
  """

  mean: Rgb
  std: Rgb
  covariance: tuple[Rgb, ...]


class MomentCounter:
  """Adds up the moments of images.

  A matrix product would be shorter, but BLAS uses all processors, for which worker processes then
  compete: up to 30 ms per photograph of 500x375, where this takes about 1 ms.

  Attributes:
    moments: int64 [4, 4, 4], four sums of matrices: images counted by all of their pixels, sampled
      images by their pixels, sampled images by their block means, other images by their block
      means.
  """

  def __init__(self):
    self.moments = np.zeros(SHAPE, np.int64)
    self._product = np.empty(_STRIP, np.uint16)

  def add(self, image: Image.Image | np.ndarray) -> None:
    """Counts an image of mode RGB or L, or uint8 [H, W, 3] or [H, W]; gray is R = G = B."""
    self.moments[0] += self._matrix(image)

  def add_sample(self, image: Image.Image | np.ndarray, means: Image.Image | np.ndarray) -> None:
    """Counts an image of the sample; `means` has an eighth of its height and width."""
    self.moments[1] += self._matrix(image)
    self.moments[2] += self._matrix(means)

  def add_means(self, means: Image.Image | np.ndarray) -> None:
    """Counts an image of which only the block means are known."""
    self.moments[3] += self._matrix(means)

  def _matrix(self, image: Image.Image | np.ndarray) -> np.ndarray:
    planes = _planes_of(image)
    sums = np.zeros((1 + len(planes), 1 + len(planes)), np.int64)
    sums[0, 0] = planes[0].size
    for start in range(0, planes[0].size, _STRIP):
      strips = [plane[start : start + _STRIP] for plane in planes]
      product = self._product[: strips[0].size]
      for j, one in enumerate(strips, start=1):
        sums[0, j] += one.sum(dtype=np.uint32)
        for i, other in enumerate(strips[:j], start=1):
          np.multiply(one, other, out=product, dtype=np.uint16)
          sums[i, j] += product.sum(dtype=np.uint32)
    sums += np.triu(sums, 1).T
    return sums if len(planes) == 3 else sums[_GRAY_AS_RGB]


def _planes_of(image: Image.Image | np.ndarray) -> list[np.ndarray]:
  """Returns R, G and B, or gray alone, each uint8 [H * W]."""
  pixels = np.asarray(image)
  if pixels.ndim == 2:
    return [pixels.reshape(-1)]
  return [pixels[..., channel].reshape(-1) for channel in range(3)]


def compute_statistics(moments: np.ndarray) -> RgbStatistics:
  """Computes statistics from `MomentCounter.moments`; only the last division rounds."""
  (count, *sums), *rows = _total(moments).tolist()
  covariance = tuple(
    _rgb((count * product - a * b) / count**2 for product, b in zip(row[1:], sums, strict=True))
    for row, a in zip(rows, sums, strict=True)
  )
  return RgbStatistics(
    mean=_rgb(total / count for total in sums),
    std=_rgb(math.sqrt(covariance[i][i]) for i in range(3)),
    covariance=covariance,
  )


def _rgb(values: Iterable[float]) -> Rgb:
  red, green, blue = values
  return red, green, blue


def fraction_from_means(moments: np.ndarray) -> float:
  """Returns the fraction of the pixels that was counted only through block means."""
  by_means = _PIXELS_PER_MEAN * int(moments[3, 0, 0])
  return by_means / max(1, int(moments[:2, 0, 0].sum()) + by_means)


def _total(moments: np.ndarray) -> np.ndarray:
  """Returns the matrix of all pixels times an integer, which cancels in ratios of its entries."""
  # Python integers do not overflow.
  whole, sample, means_of_sample, means = moments.astype(object)
  total = whole + sample + _PIXELS_PER_MEAN * means
  count = means_of_sample[0, 0]
  if not count:
    return total
  missing = sample - _PIXELS_PER_MEAN * means_of_sample
  return total * count + missing * means[0, 0]
