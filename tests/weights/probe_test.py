import numpy as np
import pytest

from vgg_slim.errors import WeightMismatchError
from vgg_slim.weights import probe
from vgg_slim.weights.frameworks import SourceRun


def test_the_probe_image_is_fixed_and_within_the_range_of_pixels():
  image = probe.probe_image(40)
  assert image.shape == (1, 40, 40, 3)
  assert image.dtype == np.float32
  assert 0 <= image.min() < 60
  assert 195 < image.max() <= 255
  np.testing.assert_array_equal(image, probe.probe_image(40))
  # The channels must differ, so that RGB and BGR can be distinguished.
  assert np.abs(image[..., 0] - image[..., 2]).mean() > 20


def test_largest_difference_is_reported_absolute_and_relative():
  run = SourceRun('Keras 3', 64, np.float32([[1, -4, 2]]))
  comparison = probe.compare(run, np.float32([[1, -4.001, 2]]), 'logits')
  assert comparison.difference == pytest.approx(1e-3, rel=1e-3)
  assert comparison.relative == pytest.approx(2.5e-4, rel=1e-3)
  assert comparison.text() == (
    'logits of the probe image, largest difference from Keras 3: 0.001, 0.00025 of the largest '
    'value 4'
  )


@pytest.mark.parametrize('value', [4.1, np.nan])
def test_different_values_are_refused(value):
  run = SourceRun('Keras 3', 64, np.float32([[4]]))
  with pytest.raises(WeightMismatchError, match='fit by shape, but the networks differ'):
    probe.compare(run, np.float32([[value]]), 'logits')


def test_a_different_shape_is_refused():
  run = SourceRun('torch 2', 64, np.ones([1, 2], np.float32))
  with pytest.raises(WeightMismatchError, match=r'torch 2 gives logits \[1, 2\].*network \[1, 3\]'):
    probe.compare(run, np.ones([1, 3], np.float32), 'logits')
