import math

import pytest

from tests.nets.counts import COUNTS, num_elements
from vgg_slim.errors import ConfigError
from vgg_slim.nets import specs


def test_every_network_has_counts():
  assert set(specs.NETWORKS) == set(COUNTS)


@pytest.mark.parametrize('name', specs.NETWORKS)
def test_parameter_counts_are_exact(name):
  spec = specs.get(name)
  assert spec.name == name
  shapes = spec.parameter_shapes(num_classes=1000), spec.non_trainable_shapes(num_classes=1000)
  assert tuple(map(num_elements, shapes)) == COUNTS[name]


def test_batch_norm_adds_one_vector_for_each_convolution():
  # Scale and shift replace the bias: +1 per channel of 2x64 + 2x128 + 3x256 + 6x512 = 4224.
  assert COUNTS['vgg_d_bn'][0] - COUNTS['vgg_d'][0] == 4224


def test_layers_of_vgg16_with_two_classes():
  # The layer table of many cats-and-dogs tutorials; 134,268,738 in total.
  shapes = specs.get('vgg16').parameter_shapes(num_classes=2)
  layers = {}
  for name, shape in shapes.items():
    layer = name.rpartition('/')[0]
    layers[layer] = layers.get(layer, 0) + math.prod(shape)
  assert list(layers.values()) == [
    1792,
    36928,
    73856,
    147584,
    295168,
    590080,
    590080,
    1180160,
    2359808,
    2359808,
    2359808,
    2359808,
    2359808,
    102764544,
    16781312,
    8194,
  ]
  assert sum(layers.values()) == 134_268_738


def test_configuration_c_ends_stages_3_to_5_with_1x1():
  kernels = [conv.kernel for _, conv in specs.VGG['vgg_c'].convolutions()]
  assert kernels == [3, 3, 3, 3, 3, 3, 1, 3, 3, 1, 3, 3, 1]


@pytest.mark.parametrize(
  ('alias', 'layers'), [('vgg11', 11), ('vgg13', 13), ('vgg16', 16), ('vgg19', 19)]
)
def test_aliases_count_layers_with_weights(alias, layers):
  assert len(list(specs.get(alias).convolutions())) + 3 == layers


@pytest.mark.parametrize(
  ('side', 'kernel'), [(32, 1), (63, 1), (64, 2), (224, 7), (255, 7), (256, 8)]
)
def test_the_kernel_of_the_first_fc_layer_rounds_down(side, kernel):
  assert specs.get('vgg16').fc_kernel(side) == kernel


def test_too_small_an_image_size_is_refused():
  with pytest.raises(ConfigError, match='image_size=31 is too small for vgg_d.*at least 32 pixels'):
    specs.get('vgg16').fc_kernel(31)


@pytest.mark.parametrize(
  ('written', 'meant'),
  [
    ('vgg-16', 'vgg16'),
    ('VGG16', 'vgg16'),  # Keras
    ('vgg_16', 'vgg16'),  # slim
    ('vgg61', 'vgg16'),
    ('vgg61_bn', 'vgg16_bn'),
    ('VGG16@8', 'vgg16@8'),
    ('ResNet50', 'resnet50'),
  ],
)
def test_the_error_for_a_misspelled_model_suggests_a_name(written, meant):
  with pytest.raises(ConfigError, match=f"Unknown model '{written}'. Did you mean '{meant}'\\?"):
    specs.get(written)


def test_the_error_for_a_network_of_another_kind_suggests_nothing():
  with pytest.raises(ConfigError, match="Unknown model 'alexnet'. Expected one of"):
    specs.get('alexnet')


def test_thin_vgg16_by_hand():
  # 3x3 convolutions with biases and an eighth of the paper's channels: 8, 16, 32, 64, 64.
  convs = [(3, 8), (8, 8), (8, 16), (16, 16), (16, 32), (32, 32), (32, 32), (32, 64)]
  convs += [(64, 64)] * 5
  trunk = sum(9 * n_in * n_out + n_out for n_in, n_out in convs)
  spec = specs.get('vgg16@8')
  assert (spec.name, spec.scope) == ('vgg_d@8', 'vgg_16')
  assert num_elements(spec.parameter_shapes(num_classes=None)) == trunk


@pytest.mark.parametrize('name', specs.NETWORKS)
def test_a_thin_network_of_full_width_is_the_network_itself(name):
  spec = specs.get(f'{name}@64')
  assert spec.trunk_layers() == specs.get(name).trunk_layers()
  assert specs.get(spec.name) == spec


@pytest.mark.parametrize('model', ['vgg16@', 'vgg16@0', 'vgg16@x', 'vgg16@4@2'])
def test_an_invalid_width_is_refused(model):
  with pytest.raises(ConfigError, match='@ must be followed by the number of .* as in vgg16@8'):
    specs.get(model)
