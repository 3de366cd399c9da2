"""Mean, deviation and covariance of R, G, B over many pictures, in whole numbers to the end.

A picture gives a 4x4 matrix of whole numbers, the sum over its pixels of the outer product of
(1, R, G, B) with itself: in its corner the number of pixels, beside it the sums, then the products.
The matrices of several pictures are added. No TensorFlow.
"""

import math
from typing import NamedTuple

import numpy as np
from PIL import Image

# So many products of at most 255 * 255 stay below 2**32, and the planes in the processor's cache.
_STRIP = 2**16


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


def moments_of(image: Image.Image) -> np.ndarray:
  """Returns the int64 [4, 4] of a picture of mode RGB, or L, which counts as R = G = B.

  For 500x375 pixels 0.5 ms, where decoding the JPEG file takes 1 ms, a float64 matrix product 6 ms.
  """
  planes = [np.asarray(band).reshape(-1) for band in image.split()]
  total = np.zeros((len(planes) + 1, len(planes) + 1), np.int64)
  for start in range(0, planes[0].size, _STRIP):
    strips = [plane[start : start + _STRIP] for plane in planes]
    total[0, 0] += strips[0].size
    for i, one in enumerate(strips):
      total[0, i + 1] += one.sum(dtype=np.uint32)
      for j, other in enumerate(strips[i:], start=i):
        total[i + 1, j + 1] += np.multiply(one, other, dtype=np.uint16).sum(dtype=np.uint32)
  total = np.triu(total) + np.triu(total, 1).T
  return total if len(planes) == 3 else total[np.ix_((0, 1, 1, 1), (0, 1, 1, 1))]


def statistics_of(moments: np.ndarray) -> RgbStatistics:
  """Makes statistics of a sum of `moments_of`; the only rounding is that of the last division."""
  (count, *sums), *rows = moments.tolist()
  covariance = tuple(
    tuple((count * product - a * b) / count**2 for product, b in zip(row[1:], sums, strict=True))
    for row, a in zip(rows, sums, strict=True)
  )
  return RgbStatistics(
    mean=tuple(total / count for total in sums),
    std=tuple(math.sqrt(covariance[i][i]) for i in range(3)),
    covariance=covariance,
  )
