"""Mean, deviation and covariance of R, G, B over many pictures, in whole numbers to the end.

A picture gives a 4x4 matrix of whole numbers, the sum over its pixels of the outer product of
(1, R, G, B) with itself: in its corner the number of pixels, beside it the sums, then the products.
The matrices of several pictures are added. No TensorFlow.

Of large sets most pictures give the matrix of their means of 8x8 pixels, and a sample both. What
the means of the sample lack against its pixels, mostly the variance inside the 8x8, is taken to be
lacking in the others too. Measured on 1200 photographs, 150 of them the sample: the mean was 0.1
off at most (of 0..255), the deviation 0.3 %; of the sample alone the mean would be 4.5 off, of the
means of 8x8 alone the deviation 4 % short.
"""

import math
from typing import NamedTuple

import numpy as np
from PIL import Image

SHAPE = (4, 4, 4)  # of `MomentCounter.moments`
_GREY_AS_RGB = np.ix_((0, 1, 1, 1), (0, 1, 1, 1))
_PIXELS_OF_A_MEAN = 64
_STRIP = 2**16  # so many products of at most 255 * 255 add up to less than 2**32


class RgbStatistics(NamedTuple):
  """Of all pixels that were counted, R, G, B, on the scale 0..255.

  Attributes:
    mean: per channel.
    std: per channel, the root of the covariance's diagonal.
    covariance: three rows of three, divided by the number of pixels.
  """

  mean: tuple[float, ...]
  std: tuple[float, ...]
  covariance: tuple[tuple[float, ...], ...]


class MomentCounter:
  """Adds up pictures.

  Not by BLAS, which would be shorter: it works with all processors at once, over which worker
  processes then fight, and took up to 30 ms a photograph of 500x375 where this takes about 1.

  Attributes:
    moments: int64 [4, 4, 4], the matrices of pictures that were counted by all of their pixels, of
      the sample by its pixels, of the sample by its means of 8x8, and of the others by these.
  """

  def __init__(self):
    self.moments = np.zeros(SHAPE, np.int64)
    self._product = np.empty(_STRIP, np.uint16)

  def add(self, picture: Image.Image | np.ndarray) -> None:
    """Counts a picture of mode RGB, or L, or uint8 [H, W, 3], or [H, W]; grey is R = G = B."""
    self.moments[0] += self._matrix(picture)

  def add_sample(self, picture: Image.Image, means: Image.Image) -> None:
    """Counts a picture of the sample; `means` has an 8th of its height and width."""
    self.moments[1] += self._matrix(picture)
    self.moments[2] += self._matrix(means)

  def add_means(self, means: Image.Image) -> None:
    """Counts a picture of which there are no more than these."""
    self.moments[3] += self._matrix(means)

  def _matrix(self, picture: Image.Image | np.ndarray) -> np.ndarray:
    planes = _planes_of(picture)
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
    return sums if len(planes) == 3 else sums[_GREY_AS_RGB]


def _planes_of(picture: Image.Image | np.ndarray) -> list[np.ndarray]:
  """R, G and B, or grey alone, each uint8 [H * W]."""
  pixels = np.asarray(picture)
  if pixels.ndim == 2:
    return [pixels.reshape(-1)]
  return [pixels[..., channel].reshape(-1) for channel in range(3)]


def compute_statistics(moments: np.ndarray) -> RgbStatistics:
  """Makes statistics of `MomentCounter.moments`; the only rounding is that of the last division."""
  (count, *sums), *rows = _total(moments).tolist()
  covariance = tuple(
    tuple((count * product - a * b) / count**2 for product, b in zip(row[1:], sums, strict=True))
    for row, a in zip(rows, sums, strict=True)
  )
  return RgbStatistics(
    mean=tuple(total / count for total in sums),
    std=tuple(math.sqrt(covariance[i][i]) for i in range(3)),
    covariance=covariance,
  )


def fraction_from_means(moments: np.ndarray) -> float:
  """Part of the pixels that was counted as means of 8x8 only."""
  by_means = _PIXELS_OF_A_MEAN * int(moments[3, 0, 0])
  return by_means / max(1, int(moments[:2, 0, 0].sum()) + by_means)


def _total(moments: np.ndarray) -> np.ndarray:
  """The matrix of all pixels, times a whole number that no ratio of its entries shows."""
  whole, sample, means_of_sample, means = moments.astype(object)  # of no limited size
  total = whole + sample + _PIXELS_OF_A_MEAN * means
  count = means_of_sample[0, 0]
  if not count:
    return total
  lack = sample - _PIXELS_OF_A_MEAN * means_of_sample
  return total * count + lack * means[0, 0]
