"""Names and shapes of torchvision's networks, as they are published; exporter_test runs them."""

import numpy as np
import pytest

from vgg_slim.configs.net import Network
from vgg_slim.errors import ConfigError, WeightMismatchError
from vgg_slim.weights import to_torch
from vgg_slim.weights.recognition import variable_shapes


def state_dict(network):
  shapes = variable_shapes(network)
  return to_torch.state_dict(network, {n: np.zeros(s, np.float32) for n, s in shapes.items()})


def test_a_vgg_has_the_names_of_torchvision():
  state = state_dict(Network(5, 'vgg11@4', image_size=224, fc_units=6))
  numbers = (0, 3, 6, 8, 11, 13, 16, 18)
  layers = [*(f'features.{i}' for i in numbers), *(f'classifier.{i}' for i in (0, 3, 6))]
  assert list(state) == [f'{layer}.{part}' for layer in layers for part in ('weight', 'bias')]
  assert state['features.3.weight'].shape == (8, 4, 3, 3)
  assert state['classifier.0.weight'].shape == (6, 7 * 7 * 32)


def test_batch_norm_comes_with_a_bias_of_zero_before_it_and_a_counter():
  state = state_dict(Network(5, 'vgg11_bn@4', 'linear', image_size=32))
  assert list(state)[:7] == [
    'features.0.weight',
    'features.0.bias',
    *(f'features.1.{part}' for part in ('weight', 'bias', 'running_mean', 'running_var')),
    'features.1.num_batches_tracked',
  ]
  assert list(state)[-2:] == ['classifier.0.weight', 'classifier.0.bias']


@pytest.mark.parametrize(
  ('head', 'names', 'text'),
  [
    (None, ['fc'], 'for a torchvision network with fc = Linear(2048, 5)'),
    (
      'fc256',
      ['fc.0', 'fc.3'],
      'for a torchvision network with fc = Sequential(Linear(2048, 256), ReLU(), Dropout(), '
      'Linear(256, 5))',
    ),
  ],
)
def test_heads_of_a_resnet(head, names, text):
  network = Network(5, 'resnet50_torchvision', head)
  assert to_torch.describe(network) == text
  heads = [name for name in state_dict(network) if name.startswith('fc')]
  assert heads == [f'{name}.{part}' for name in names for part in ('weight', 'bias')]


def test_what_to_change_in_a_vgg_is_described():
  assert to_torch.describe(Network(5, 'vgg16', 'average', image_size=96)) == (
    'for a torchvision network with classifier = Sequential(Linear(512, 5)), '
    'avgpool = AdaptiveAvgPool2d(1)'
  )
  assert to_torch.describe(Network(5, 'vgg16')).endswith('Dropout(), Linear(4096, 5))')
  assert 'it has no head' in to_torch.describe(Network(None, 'vgg16'))


def test_networks_that_torchvision_lacks_are_refused():
  with pytest.raises(WeightMismatchError, match='ResNet of torchvision strides'):
    to_torch.check(Network(5, 'resnet50_keras'))
  with pytest.raises(ConfigError, match='no network like vgg_a_lrn'):
    to_torch.check(Network(5, 'vgg_a_lrn'))
