"""Checks what converted arrays compute; importer_test.py compares whole networks."""

import numpy as np
import pytest

from vgg_slim.configs.net import Network
from vgg_slim.errors import ConfigError
from vgg_slim.nets import specs
from vgg_slim.weights import linking, transform
from vgg_slim.weights.foreign import ForeignWeights
from vgg_slim.weights.transform import InputChange

RNG = np.random.default_rng(0)
PLAIN = InputChange()


def foreign(arrays, framework='keras', **layout):
  arrays = {name: np.asarray(array, np.float32) for name, array in arrays.items()}
  return ForeignWeights('f', framework, arrays, **layout)


def convert(model, weights, change=PLAIN, epsilon=None):
  slots = linking.link(specs.get(model), weights).slots
  return transform.convert(Network(10, model, image_size=224), weights, slots, change, epsilon)


def norm_output(converted, layer, x, epsilon):
  parts = {p: converted.arrays[f'{layer}/BatchNorm/{p}'] for p in ('gamma', 'beta')}
  mean, variance = (converted.arrays[f'{layer}/BatchNorm/moving_{p}'] for p in ('mean', 'variance'))
  return parts['gamma'] * (x - mean) / np.sqrt(variance + epsilon) + parts['beta']


@pytest.mark.parametrize('missing', [(), ('gamma',), ('beta',), ('gamma', 'beta'), ('bias',)])
def test_batch_norm_keeps_its_output(missing):
  arrays = {
    'block1_conv1/bias': RNG.normal(size=64),
    'block1_conv1_bn/gamma': RNG.uniform(0.5, 2, 64),
    'block1_conv1_bn/beta': RNG.normal(size=64),
    'block1_conv1_bn/moving_mean': RNG.normal(size=64),
    'block1_conv1_bn/moving_variance': 10 ** RNG.uniform(-6, 0, 64),
  }
  arrays = {name: array for name, array in arrays.items() if name.split('/')[1] not in missing}
  weights = foreign({'block1_conv1/kernel': np.zeros([3, 3, 3, 64]), **arrays})
  x = RNG.normal(size=64)
  truth = x + arrays.get('block1_conv1/bias', 0) - arrays['block1_conv1_bn/moving_mean']
  truth = truth / np.sqrt(arrays['block1_conv1_bn/moving_variance'] + 0.003)
  truth = truth * arrays.get('block1_conv1_bn/gamma', 1) + arrays.get('block1_conv1_bn/beta', 0)
  converted = convert('vgg16_bn', weights, epsilon=0.003)
  got = norm_output(converted, 'conv1/conv1_1', x, specs.get('vgg16_bn').batch_norm.epsilon)
  # Three float32 roundings of values up to 20.
  np.testing.assert_allclose(got, truth, rtol=1e-5, atol=1e-5)
  assert 'conv1/conv1_1/biases' not in converted.arrays


@pytest.mark.parametrize(
  ('model', 'framework', 'epsilons', 'given', 'expected'),
  [
    ('vgg16_bn', 'keras', {}, None, 1e-3),
    ('vgg16_bn', 'keras', {'block1_conv1_bn': 0.02}, None, 0.02),
    ('vgg16_bn', 'keras', {'block1_conv1_bn': 0.02}, 0.5, 0.5),
    ('vgg16_bn', 'torch', {}, None, 1e-5),
    ('vgg16_bn', 'npz', {}, None, 1e-5),
  ],
)
def test_epsilon_is_taken_from_request_file_or_framework(
  model, framework, epsilons, given, expected
):
  arrays = dict.fromkeys(('gamma', 'beta', 'moving_mean', 'moving_variance'), np.ones(64))
  arrays = {f'block1_conv1_bn/{part}': array for part, array in arrays.items()}
  arrays['block1_conv1/kernel'] = np.zeros([3, 3, 3, 64])
  weights = foreign(arrays, framework, epsilons=epsilons)
  converted = convert(model, weights, epsilon=given)
  variance = converted.arrays['conv1/conv1_1/BatchNorm/moving_variance'][0]
  ours = specs.get(model).batch_norm.epsilon
  assert variance + ours == pytest.approx(1 + expected, abs=1e-7)


def test_biases_that_the_source_lacks_become_zero():
  parts = ('gamma', 'beta', 'moving_mean', 'moving_variance')
  arrays = {f'conv1/BatchNorm/{part}': np.ones(64) for part in parts}
  weights = foreign({'conv1/weights': np.zeros([7, 7, 3, 64]), **arrays}, 'slim')
  converted = convert('resnet50_keras', weights)
  np.testing.assert_array_equal(converted.arrays['conv1/biases'], np.zeros(64))
  assert converted.origins['conv1/biases'] == ()


def test_input_change_of_images_and_of_the_kernel_are_equivalent():
  change = InputChange(bgr=True, rgb_std=(2.0, 4.0, 8.0))
  image, kernel = RNG.normal(size=[1, 3, 3, 3]), RNG.normal(size=[3, 3, 3, 5])
  source = np.tensordot(change.to_source(image)[0], kernel, axes=3)
  ours = np.tensordot(image[0], change.to_our_kernel(kernel), axes=3)
  np.testing.assert_allclose(ours, source)


def test_a_deviation_of_zero_is_refused():
  with pytest.raises(ConfigError, match='rgb_std must be three positive numbers'):
    InputChange(rgb_std=(1, 0, 1))


def test_a_matrix_for_a_different_map_keeps_its_shape():
  weights = foreign(
    {'block1_conv1/kernel': np.zeros([3, 3, 3, 64]), 'fc1/kernel': np.ones([10, 4])}
  )
  assert convert('vgg16', weights).arrays['fc6/weights'].shape == (10, 4)
