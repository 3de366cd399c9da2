"""Whether probabilities mean what they say (Guo et al., 2017, arXiv:1706.04599). No TensorFlow."""

import dataclasses

import numpy as np

from vgg_slim.finite import check_finite

NUM_BINS = 15


@dataclasses.dataclass(frozen=True, eq=False)
class Calibration:
  """Pictures in bins of equal width by the probability of their most probable class.

  Attributes:
    edges: float [B + 1], from 0 to 1; a bin holds its upper edge.
    counts: int [B], pictures in each bin.
    confidence: float [B], their mean probability; NaN in an empty bin.
    accuracy: float [B], the fraction of them that is right; NaN in an empty bin.
  """

  edges: np.ndarray
  counts: np.ndarray
  confidence: np.ndarray
  accuracy: np.ndarray

  @property
  def expected_error(self) -> float:
    """ECE: the mean of |accuracy - confidence| over pictures."""
    full = self.counts > 0
    gaps = np.abs(self.accuracy[full] - self.confidence[full])
    return float(np.sum(gaps * self.counts[full]) / np.sum(self.counts))


def calibrate(
  probabilities: np.ndarray, labels: np.ndarray, num_bins: int = NUM_BINS
) -> Calibration:
  """Sorts images into bins: float [N, K], int [N].

  Raises:
    NonFiniteError: a probability is not finite.
  """
  check_finite(probabilities)
  edges = np.linspace(0, 1, num_bins + 1)
  confidence = probabilities.max(axis=1).astype(np.float64)
  hits = np.argmax(probabilities, axis=1) == labels
  bins = np.clip(np.searchsorted(edges, confidence, side='left') - 1, 0, num_bins - 1)
  counts = np.bincount(bins, minlength=num_bins)
  with np.errstate(invalid='ignore'):  # 0 / 0 in an empty bin
    means = [np.bincount(bins, values, num_bins) / counts for values in (confidence, hits)]
  return Calibration(edges, counts, *means)
