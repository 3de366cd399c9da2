"""Proof that a faster precision gives the same answers, on the images at hand. No TensorFlow.

The first inputs are computed in float32 and in the faster precision. If more answers change or the
numbers differ by more than rounding explains, the work is done in float32. docs/decisions/0097 has
the measurements behind the limits.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

NUM_INPUTS = 64  # inputs that are computed in both precisions
# Work on fewer inputs is done in float32: building the network twice would take longer than it.
MIN_INPUTS = 4 * NUM_INPUTS

_MAX_CHANGED = 1 / 64  # of the answers: near ties, of which a weak network has one in 170
_MAX_PROBABILITY = 0.05
_MAX_FEATURE = 0.03


class Proof(NamedTuple):
  """Comparison of a precision with float32.

  Attributes:
    precision: name of the faster precision.
    compared: what was compared, such as '0 of 64 top-1 answers change'.
    same_answers: whether few enough answers change, if any; true for features, which have none.
    largest: largest difference of two numbers, absolute for probabilities, relative for features.
    limit: largest difference that is accepted.
  """

  precision: str
  compared: str
  same_answers: bool
  largest: float
  limit: float

  @property
  def holds(self) -> bool:
    """Whether the faster precision may be used; NaN fails."""
    return self.same_answers and self.largest <= self.limit

  def describe(self) -> str:
    """One line for people."""
    text = f'{self.precision}: {self.compared}, largest difference {self.largest:.2g}'
    return f'{text}{"" if self.holds else "; computed in float32"}'


def first_rows(batches: Iterable[np.ndarray]) -> list[np.ndarray]:
  """Returns the first NUM_INPUTS rows of batches, or all if there are fewer."""
  rows: list[np.ndarray] = []
  for batch in batches:
    rows.extend(batch)
    if len(rows) >= NUM_INPUTS:
      break
  return rows[:NUM_INPUTS]


def prove_scores(exact: np.ndarray, fast: np.ndarray, precision: str) -> Proof:
  """Compares class probabilities.

  Args:
    exact: probabilities in float32, float [N, K].
    fast: probabilities of the same inputs in the faster precision, float [N, K].
    precision: name of that precision.
  """
  changed = int(np.sum(np.argmax(exact, axis=1) != np.argmax(fast, axis=1)))
  change = 'changes' if len(exact) == 1 else 'change'
  compared = f'{changed} of {len(exact)} top-1 answers {change}'
  largest = float(np.max(np.abs(exact - fast)))
  same_answers = changed <= len(exact) * _MAX_CHANGED
  return Proof(precision, compared, same_answers, largest, _MAX_PROBABILITY)


def prove_features(exact: np.ndarray, fast: np.ndarray, precision: str) -> Proof:
  """Compares features by the norm of the difference, relative to the norm of each image's features.

  Args:
    exact: features in float32, float [N, h, w, C].
    fast: features of the same images in the faster precision, float [N, h, w, C].
    precision: name of that precision.
  """
  rows, others = (np.reshape(features, [len(features), -1]) for features in (exact, fast))
  norms = np.maximum(np.linalg.norm(rows, axis=1), np.finfo(np.float32).tiny)
  largest = float(np.max(np.linalg.norm(rows - others, axis=1) / norms))
  return Proof(precision, f'features of {len(exact)} images', True, largest, _MAX_FEATURE)
