"""How far an error rate, and a difference of two, can be trusted. No TensorFlow."""

import math
from typing import NamedTuple

import numpy as np

_Z_95 = 1.959964  # standard normal quantile at 0.975


def wilson_interval(errors: int, total: int) -> tuple[float, float]:
  """95 % confidence interval of a fraction (Wilson, 1927), which stays within 0 .. 1.

  Args:
    errors: pictures that went wrong.
    total: pictures in all, at least 1.
  """
  share, z2 = errors / total, _Z_95**2 / total
  middle = (share + z2 / 2) / (1 + z2)
  half = math.sqrt(z2 * share * (1 - share) + z2 * z2 / 4) / (1 + z2)
  return max(0.0, middle - half), min(1.0, middle + half)


class McNemar(NamedTuple):
  """Two ways of classifying the same pictures.

  Attributes:
    only_first: pictures that only the first got right.
    only_second: pictures that only the second got right.
    p_value: of the exact two-sided test that both are as often right.
  """

  only_first: int
  only_second: int
  p_value: float


def mcnemar(first: np.ndarray, second: np.ndarray) -> McNemar:
  """Exact test of McNemar (1947) on the pictures where two ways differ.

  Args:
    first: bool [N], which images the first got right, as `results.Line.hits` has it: scores that
      are not finite never become hits.
    second: bool [N], the same images.
  """
  only_first = int(np.sum(first & ~second))
  only_second = int(np.sum(second & ~first))
  n = only_first + only_second
  # Whole numbers: no rounding before the one division.
  tail, ways = 0, 1
  for k in range(min(only_first, only_second) + 1):
    tail += ways
    ways = ways * (n - k) // (k + 1)
  return McNemar(only_first, only_second, min(1.0, 2 * tail / 2**n))
