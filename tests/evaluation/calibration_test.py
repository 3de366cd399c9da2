import numpy as np
import pytest

from tests.evaluation.fabricated import probabilities_of
from vgg_slim.errors import NonFiniteError
from vgg_slim.evaluation import calibration


def test_bins_match_hand_arithmetic():
  confidences = [0.45, 0.5, 0.65, 0.95, 1.0]
  probabilities = np.concatenate([probabilities_of([1], confidence) for confidence in confidences])
  bins = calibration.calibrate(probabilities, np.array([1, 0, 1, 1, 0]), num_bins=4)
  # (0.25, 0.5] holds two, (0.5, 0.75] one, (0.75, 1] two.
  assert bins.counts.tolist() == [0, 2, 1, 2]
  np.testing.assert_allclose(bins.confidence, [np.nan, 0.475, 0.65, 0.975], rtol=1e-6)
  np.testing.assert_allclose(bins.accuracy, [np.nan, 0.5, 1, 0.5])
  expected = (2 * 0.025 + 1 * 0.35 + 2 * 0.475) / 5
  assert bins.expected_error == pytest.approx(expected, rel=1e-6)


def test_the_lowest_and_highest_confidence_fall_into_the_outer_bins():
  low = np.full([1, 8], 0.125)
  high = probabilities_of([1], 1 + 1e-7, num_classes=8)  # a float32 softmax may round up
  bins = calibration.calibrate(np.concatenate([low, high]), np.array([0, 1]), num_bins=4)
  assert bins.counts.tolist() == [1, 0, 0, 1]
  assert calibration.calibrate(low, np.array([0])).counts.tolist() == [0, 1] + [0] * 13


def test_a_calibrated_network_has_no_error():
  rng = np.random.default_rng(0)
  confidence = rng.uniform(0.5, 1, 100_000)
  probabilities = np.stack([confidence, 1 - confidence], axis=1)
  labels = (rng.random(len(confidence)) > confidence).astype(int)
  # With about 7,500 images per bin the standard error of a bin's accuracy is at most 0.006.
  assert calibration.calibrate(probabilities, labels).expected_error < 0.01


def test_probabilities_that_are_not_finite_are_refused():
  with pytest.raises(NonFiniteError, match='image number 0'):
    calibration.calibrate(np.array([[np.nan, 0.5]]), np.array([0]))
