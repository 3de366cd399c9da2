import numpy as np
import pytest

from vgg_slim.features import regularization
from vgg_slim.features.standardization import measure

RNG = np.random.default_rng(0)


def choose(features, labels):
  measured = measure(features, averages=False)
  return regularization.choose_weight_decay(features, labels, measured, seed=0)


def clouds(noise, every):
  """Features [150, 1, 1, 10] of two classes, one of every so many images; only the first tells."""
  labels = (np.arange(150) % every == 0).astype(int)
  features = RNG.normal(size=[150, 10])
  features[:, 0] = 3 * labels + noise * RNG.normal(size=150)
  return features[:, None, None].astype(np.float32), labels


def test_noisy_classes_get_more_weight_decay_than_a_rare_class_that_is_easy_to_tell():
  assert choose(*clouds(4, every=3)) == pytest.approx(1 / 150)
  assert choose(*clouds(0.1, every=12)) <= 0.1 / 150 * (1 + 1e-9)


def test_a_rotation_to_fewer_axes_keeps_lengths_and_angles():
  wide, narrow = RNG.normal(size=[20, 300]), RNG.normal(size=[20, 5])
  rotated = regularization.rotate(wide)
  assert rotated.shape == (20, 20)
  np.testing.assert_allclose(rotated @ rotated.T, wide @ wide.T, atol=1e-9)
  assert regularization.rotate(narrow) is narrow


@pytest.mark.parametrize('labels', [[0] * 20, [0] * 16 + [1] * 4])
def test_too_few_images_of_a_second_class_leave_the_default(labels):
  features = RNG.normal(size=[20, 1, 1, 3]).astype(np.float32)
  assert choose(features, np.array(labels)) == regularization.DEFAULT
