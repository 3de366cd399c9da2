import numpy as np
import pytest

from vgg_slim.configs.net import Network
from vgg_slim.nets import specs
from vgg_slim.weights import linking, recognition
from vgg_slim.weights.foreign import ForeignWeights
from vgg_slim.weights.recognition import Wishes

MAP = 7 * 7 * 512


def file_of(*units, n_in=MAP, image_size=None, **layout):
  """Returns a file with fully-connected layers of these units; broadcast zeros cost no memory."""
  shapes = zip((n_in, *units), units, strict=False)
  arrays = {f'd{i}/kernel': np.broadcast_to(0.0, shape) for i, shape in enumerate(shapes)}
  if layout.get('dense_out_in'):
    arrays = {name: array.T for name, array in arrays.items()}
  return ForeignWeights('f', 'keras', arrays, image_size=image_size, **layout)


def recognize(model, foreign, **wishes):
  spec = specs.get(model)
  slots = linking.link(spec, foreign).slots
  network = recognition.recognize(spec, model, foreign, slots, Wishes(**wishes))
  return network, recognition.describe_assumption(spec, network, foreign, slots, Wishes(**wishes))


@pytest.mark.parametrize(
  ('units', 'values', 'expected'),
  [
    ((4096, 4096, 10), {}, {}),
    ((512, 512, 100), {}, {'head': 'fc512_512'}),
    ((7, 7, 3), {'n_in': 2 * 2 * 512}, {'fc_units': 7, 'image_size': 64}),
    ((7, 7, 3), {'n_in': 2 * 2 * 512, 'dense_out_in': True}, {'fc_units': 7, 'image_size': 64}),
    ((10,), {}, {'head': 'linear'}),
    ((256, 10), {}, {'head': 'fc256'}),
    ((64, 32, 10), {}, {'head': 'fc64_32'}),
    ((256, 10), {'n_in': 4 * 4 * 512}, {'head': 'fc256', 'image_size': 128}),
    ((256, 10), {'n_in': 4 * 4 * 512, 'image_size': 150}, {'head': 'fc256', 'image_size': 150}),
    ((10,), {'n_in': 512, 'image_size': 64}, {'head': 'average', 'image_size': 64}),
    ((256, 10), {'n_in': 512, 'image_size': 224}, {'head': 'average_fc256'}),
    ((256, 10), {'n_in': 512, 'image_size': 32}, {'head': 'fc256', 'image_size': 32}),
  ],
)
def test_head_and_sizes_of_a_vgg_are_recognized(units, values, expected):
  network, assumption = recognize('vgg16', file_of(*units, **values))
  assert network == Network(units[-1], 'vgg16', **expected)
  assert assumption == ''


@pytest.mark.parametrize(
  ('units', 'expected', 'assumption'),
  [
    ((10,), {'head': 'average'}, 'assuming global average pooling at 224 pixels'),
    ((128, 10), {'head': 'average_fc128'}, 'give --image_size=32'),
    ((64, 64, 10), {'fc_units': 64, 'image_size': 32}, 'assuming images of 32 pixels'),
    ((64, 32, 10), {'head': 'average_fc64_32'}, 'assuming global average pooling'),
  ],
)
def test_what_the_shapes_leave_open_is_assumed_aloud(units, expected, assumption):
  network, said = recognize('vgg16', file_of(*units, n_in=512))
  assert network == Network(units[-1], 'vgg16', **expected)
  assert assumption in said


@pytest.mark.parametrize(
  ('wishes', 'expected'),
  [
    ({'image_size': 32}, {'head': 'fc256', 'image_size': 32}),
    ({'head': 'linear', 'image_size': 64}, {'head': 'linear', 'image_size': 64}),
    ({'fc_units': 9}, {'fc_units': 9, 'image_size': 32}),
  ],
)
def test_wishes_precede_shapes(wishes, expected):
  network, said = recognize('vgg16', file_of(256, 10, n_in=512), **wishes)
  assert network == Network(10, 'vgg16', **expected)


def test_heads_of_a_resnet_always_read_the_average():
  assert recognize('resnet50', file_of(7, n_in=2048))[0] == Network(7, 'resnet50')
  assert recognize('resnet50', file_of(256, 7, n_in=2048))[0].head == 'fc256'


def test_the_own_head_of_vgg_cifar_needs_its_batch_norm():
  plain = file_of(512, 512, 10, n_in=512)
  norm = {'n/moving_mean': np.zeros(512)}
  own = ForeignWeights('f', 'keras', {**plain.arrays, **norm})
  assert recognize('vgg_cifar', own)[0] == Network(10, 'vgg_cifar', image_size=32)
  assert recognize('vgg_cifar', plain, image_size=32)[0].head == 'fc512_512'


def test_a_single_logit_is_a_sigmoid():
  network, _ = recognize('vgg16', file_of(256, 1))
  assert (network.num_classes, network.num_logits, network.is_sigmoid) == (2, 1, True)


def test_a_file_without_a_head_is_compared_with_1000_classes():
  assert recognize('vgg16', ForeignWeights('f', 'keras', {}))[0] == Network(1000, 'vgg16')


def test_a_trunk_has_the_image_size_of_the_file():
  network, _ = recognize('vgg16', file_of(10, image_size=96), trunk_only=True)
  assert network == Network(None, 'vgg16', image_size=96)


def test_slims_head_of_convolutions_is_recognized():
  shapes = {'fc6': (7, 7, 512, 11), 'fc7': (1, 1, 11, 11), 'fc8': (1, 1, 11, 4)}
  arrays = {f'{name}/weights': np.zeros(shape) for name, shape in shapes.items()}
  network, _ = recognize('vgg16', ForeignWeights('f', 'slim', arrays))
  assert network == Network(4, 'vgg16', fc_units=11)


def test_shapes_of_the_head_are_those_of_its_layers():
  shapes = recognition.variable_shapes(Network(2, 'vgg16', 'average_fc256'))
  heads = {name: shape for name, shape in shapes.items() if name.startswith('fc')}
  assert heads == {
    'fc6/weights': (1, 1, 512, 256),
    'fc6/biases': (256,),
    'fc8/weights': (1, 1, 256, 2),
    'fc8/biases': (2,),
  }
