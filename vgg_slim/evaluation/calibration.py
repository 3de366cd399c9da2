"""Calibration of predicted probabilities (Guo et al., 2017, arXiv:1706.04599). No TensorFlow."""

import dataclasses

import numpy as np

from vgg_slim.finite import check_finite

NUM_BINS = 15


@dataclasses.dataclass(frozen=True, eq=False)
class Calibration:
  """Images binned by the probability of their most probable class; bins have equal width.

  Attributes:
    edges: bin edges, float [B + 1], from 0 to 1; each bin includes its upper edge.
    counts: number of images in each bin, int [B].
    confidence: mean probability in each bin, float [B]; NaN for an empty bin.
    accuracy: fraction of correct predictions in each bin, float [B]; NaN for an empty bin.
  """

  edges: np.ndarray
  counts: np.ndarray
  confidence: np.ndarray
  accuracy: np.ndarray

  @property
  def expected_error(self) -> float:
    """Expected calibration error (ECE): mean |accuracy - confidence| over the images."""
    full = self.counts > 0
    gaps = np.abs(self.accuracy[full] - self.confidence[full])
    return float(np.sum(gaps * self.counts[full]) / np.sum(self.counts))


def calibrate(
  probabilities: np.ndarray, labels: np.ndarray, num_bins: int = NUM_BINS
) -> Calibration:
  """Bins predictions by their confidence.

  Args:
    probabilities: class probabilities, float [N, K].
    labels: class indices, int [N].
    num_bins: number of bins.

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
