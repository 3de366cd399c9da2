"""Mean, deviation and covariance of R, G, B over many pictures, in whole numbers to the end.

A picture gives a 4x4 matrix of whole numbers, the sum over its pixels of the outer product of
(1, R, G, B) with itself: in its corner the number of pixels, beside it the sums, then the products.
The matrices of several pictures are added. No TensorFlow.
"""

import math
from typing import NamedTuple

import numpy as np
from PIL import Image

_GREY_AS_RGB = np.ix_((0, 1, 1, 1), (0, 1, 1, 1))
_STRIP = (
  2**15
)  # 4 rows of float64 stay in the processor's cache; half as many are 1.4 times as slow


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
  """Adds up pictures; `moments` is the int64 [4, 4] of all of them.

  A picture takes as long as decoding its JPEG file (500x375: 0.5 ms); as one matrix product of
  [3, N] by [N, 3] it would take ten times as long. The planes are kept between pictures: to give
  their memory back and get it anew, page by page, doubled the time.
  """

  def __init__(self):
    self.moments = np.zeros((4, 4), np.int64)
    self._rows = np.ones((4, _STRIP))  # the ones stay, R, G and B come and go

  def add(self, picture: Image.Image | np.ndarray) -> None:
    """Counts a picture of mode RGB, or L, or uint8 [H, W, 3], or [H, W]; grey is R = G = B."""
    planes = _planes_of(picture)
    sums = np.zeros((1 + len(planes), 1 + len(planes)))  # whole numbers below 2**53: exact
    for start in range(0, planes[0].size, _STRIP):
      size = min(_STRIP, planes[0].size - start)
      rows = [row[:size] for row in self._rows[: 1 + len(planes)]]
      for row, plane in zip(rows[1:], planes, strict=True):
        row[:] = plane[start : start + size]
      sums[0, 0] += size
      for j, one in enumerate(rows[1:], start=1):
        for i, other in enumerate(rows[: j + 1]):
          sums[i, j] += one.dot(other)
    sums += np.triu(sums, 1).T
    self.moments += (sums if len(planes) == 3 else sums[_GREY_AS_RGB]).astype(np.int64)


def _planes_of(picture: Image.Image | np.ndarray) -> list[np.ndarray]:
  """R, G and B, or grey alone, each uint8 [H * W]."""
  if isinstance(picture, Image.Image):
    bands = picture.getbands()
    return [np.frombuffer(picture.tobytes('raw', band), np.uint8) for band in bands]
  if picture.ndim == 2:
    return [picture.reshape(-1)]
  return [picture[..., channel].reshape(-1) for channel in range(3)]


def statistics_of(moments: np.ndarray) -> RgbStatistics:
  """Makes statistics of `MomentCounter.moments`; the only rounding is that of the last division."""
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
