"""Confidence intervals of error rates, and tests of their differences. No TensorFlow."""

import math
from typing import NamedTuple

import numpy as np

_Z_95 = 1.959964  # standard normal quantile at 0.975


def wilson_interval(errors: int, total: int) -> tuple[float, float]:
  """95 % confidence interval of an error rate (Wilson, 1927), clipped to 0..1.

  Args:
    errors: number of misclassified images.
    total: number of images, at least 1.
  """
  rate, z2 = errors / total, _Z_95**2 / total
  center = (rate + z2 / 2) / (1 + z2)
  half = math.sqrt(z2 * rate * (1 - rate) + z2 * z2 / 4) / (1 + z2)
  return max(0.0, center - half), min(1.0, center + half)


class McNemar(NamedTuple):
  """Comparison of two classifiers on the same images.

  Attributes:
    only_first: number of images that only the first classifies correctly.
    only_second: number of images that only the second classifies correctly.
    p_value: p-value of the exact two-sided test that both are equally accurate.
  """

  only_first: int
  only_second: int
  p_value: float


def mcnemar(first: np.ndarray, second: np.ndarray) -> McNemar:
  """Exact test of McNemar (1947).

  Args:
    first: whether the first classifies each image correctly, bool [N], as in `results.Line.hits`.
    second: whether the second classifies each image correctly, bool [N].
  """
  only_first = int(np.sum(first & ~second))
  only_second = int(np.sum(second & ~first))
  n = only_first + only_second
  # Exact integers up to the one division.
  tail, binomial = 0, 1
  for k in range(min(only_first, only_second) + 1):
    tail += binomial
    binomial = binomial * (n - k) // (k + 1)
  return McNemar(only_first, only_second, min(1.0, 2 * tail / 2**n))
