import numpy as np
import pytest

from vgg_slim.features import standardization
from vgg_slim.nets import specs

SPEC = specs.get('vgg_a@4')
RNG = np.random.default_rng(0)
# Scales from 1e-3 to 1e3, and more rows than are read at a time.
FEATURES = (RNG.normal(2, 1, [600, 3, 3, 8]) * 10.0 ** RNG.integers(-3, 4, 8)).astype(np.float32)


@pytest.mark.parametrize('averages', [False, True])
def test_features_get_mean_0_and_length_1_and_those_of_large_variance_similar_ones(averages):
  read = FEATURES.astype(np.float64)
  if averages:
    read = read.mean((1, 2), keepdims=True)
  mean, scale = standardization.measure(FEATURES, averages)
  assert mean.shape == scale.shape == read.shape[1:]
  got = ((read - mean) * scale).reshape(600, -1)
  # The mean and the scale are rounded to float32.
  np.testing.assert_allclose(got.mean(0), 0, atol=1e-6)
  assert np.mean(np.square(got).sum(1)) == pytest.approx(1, rel=1e-5)
  before = read.reshape(600, -1).var(0)
  ratio = got.var(0) / (before / (before + before.mean()))
  np.testing.assert_allclose(ratio, ratio[0], rtol=1e-5)


def test_constant_features_stay_finite():
  for features in (np.full_like(FEATURES, 7.1), FEATURES * (np.arange(8) != 3)):
    mean, scale = standardization.measure(features, averages=False)
    assert np.isfinite(mean).all()
    assert np.isfinite(scale).all()
    assert abs((features - mean) * scale).max() < 10


@pytest.mark.parametrize(
  ('head', 'layer', 'vector'),
  [
    ('linear', 'fc8', 'biases'),
    ('average', 'fc8', 'biases'),
    ('fc256', 'fc6', 'biases'),
    ('cifar', 'fc6', 'BatchNorm/moving_mean'),
  ],
)
def test_the_folded_layer_gives_the_same_from_features_as_they_are(head, layer, vector):
  x = FEATURES.astype(np.float64)
  averages = SPEC.averages(head)
  if averages:
    x = x.mean((1, 2), keepdims=True)
  moved = standardization.measure(FEATURES, averages)
  scope = f'{SPEC.scope}/{layer}'
  weights = {
    f'{scope}/weights': RNG.normal(size=[*x.shape[1:], 5]).astype(np.float32),
    f'{scope}/{vector}': RNG.normal(size=5).astype(np.float32),
    'other': np.float32([3]),
  }
  folded = standardization.fold(weights, SPEC, head, moved)
  sign = 1 if vector == 'biases' else -1  # batch norm subtracts its mean

  def layer_output(arrays, inputs):
    return np.tensordot(inputs, arrays[f'{scope}/weights'], 3) + sign * arrays[f'{scope}/{vector}']

  before = layer_output(weights, (x - moved.mean) * moved.scale)
  assert all(value.dtype == np.float32 for value in folded.values())
  # Folded weights are rounded to float32, and the products of features of up to 5,000 cancel.
  np.testing.assert_allclose(layer_output(folded, x), before, atol=1e-5)
  assert folded['other'] == 3
