import numpy as np
import pytest

from vgg_slim.configs.net import Network
from vgg_slim.weights import verdict
from vgg_slim.weights.foreign import ForeignWeights
from vgg_slim.weights.recognition import variable_shapes

NETWORK = Network(3, 'vgg_a@4', image_size=32, fc_units=6)
NORMS = {f'n{i}/moving_mean': (4,) for i in range(8)}


def describe(changes, network=NETWORK):
  shapes = {f'vgg_a/{name}': shape for name, shape in variable_shapes(NETWORK).items()} | changes
  arrays = {name: np.zeros(shape) for name, shape in shapes.items() if shape is not None}
  return verdict.describe(network, ForeignWeights('f', 'slim', arrays, in_order=True))


@pytest.mark.parametrize(
  ('changes', 'network', 'expected'),
  [
    ({}, NETWORK, ''),
    (
      {'vgg_a/conv3/conv3_2/weights': None},
      NETWORK,
      'The file has 7 convolutions, vgg_a@4 has 8.',
    ),
    (
      {'vgg_a/conv1/conv1_1/weights': (3, 3, 1, 4)},
      NETWORK,
      'Convolution 1 of the file is 3x3, 1 to 4 channels, that of vgg_a@4 is 3x3, 3 to 4 channels.',
    ),
    (NORMS, NETWORK, 'The file has 8 batch norms, vgg_a@4 has none.'),
    (
      {},
      Network(3, 'vgg_a_bn@4', image_size=32, fc_units=6),
      'The file has no batch norm, vgg_a_bn@4 has one after each convolution.',
    ),
    (
      {f'vgg_a/fc{i}/weights': None for i in (6, 7, 8)},
      NETWORK,
      'The file has no fully-connected layers, and hence no head.',
    ),
    (
      {},
      Network(9, 'vgg_a@4', 'fc256', image_size=32),
      "The file's head has fully-connected layers of 6, 6, 3 units, the head fc256 of vgg_a@4 of "
      '256, 9 units.',
    ),
    (
      {'more/kernel': (3, 3)},
      NETWORK,
      'The head of the file has 4 fully-connected layers, of 6, 6, 3, 3 units; a head has at most '
      '3 here.',
    ),
    (
      {},
      Network(3, 'vgg_a@4', image_size=64, fc_units=6),
      'The head of the file reads 32 values, that of vgg_a@4 128.',
    ),
    ({'more/kernel': (3, 3)}, Network(None, 'vgg_a@4', image_size=32), ''),
  ],
)
def test_the_first_difference_is_said_in_words(changes, network, expected):
  assert describe(changes, network) == expected


def test_a_file_without_kernels_is_named():
  foreign = ForeignWeights('f', 'npz', {'a': np.zeros(3)})
  assert verdict.describe(NETWORK, foreign).startswith('The file holds no convolutions')
