"""Links thin networks under names that nobody knows, and heads of every shape."""

import numpy as np
import pytest

from vgg_slim.nets import specs
from vgg_slim.weights import linking, names
from vgg_slim.weights.foreign import ForeignWeights
from vgg_slim.weights.names import Slot

PARTS = {'kernel': 'kernel', 'mean': 'moving_mean', 'variance': 'moving_variance'}


def link(spec, shapes, **layout):
  zeros = {name: np.zeros(shape) for name, shape in shapes.items()}
  return linking.link(spec, ForeignWeights('f', 'keras', zeros, **layout))


def nameless(spec, order, extra=None):
  """Shapes of a file with automatic names: all convolutions in `order`, then all batch norms."""
  shapes = spec.parameter_shapes(None)
  kernels = [shapes[f'{layer}/weights'] for layer in order]
  file = {f'layer_{i}/kernel': shape for i, shape in enumerate(kernels)}
  file.update(extra or {})
  for i, shape in enumerate(kernels):
    for part in ('gamma', 'beta', 'moving_mean', 'moving_variance') * bool(spec.batch_norm):
      file[f'norm_{i}/{part}'] = shape[-1:]
  return file


def convolutions(spec):
  return [layer.name for layer in names.trunk_convolutions(spec)]


@pytest.mark.parametrize('model', ['vgg_d', 'vgg_c', 'vgg_e_bn', 'vgg_cifar'])
def test_layers_of_a_vgg_with_unknown_names_are_linked_by_order(model):
  spec = specs.get(model)
  order = convolutions(spec)
  linked = link(spec, nameless(spec, order), in_order=True)
  assert linked.by_order
  for i, layer in enumerate(order):
    assert linked.slots[f'layer_{i}/kernel'] == Slot(layer, 'kernel')
    if spec.batch_norm:
      assert linked.slots[f'norm_{i}/moving_mean'] == Slot(layer, 'mean')
  assert not link(spec, nameless(spec, order), in_order=False).slots


@pytest.mark.parametrize('position', [0, 2, 3])
def test_projections_of_a_resnet_are_found_in_any_order_by_their_shapes(position):
  spec = specs.get('resnet50_keras')
  layers = convolutions(spec)
  order = list(layers)
  for i, name in enumerate(layers):
    if name.endswith('/shortcut'):
      unit = layers[i + 1 : i + 4]
      unit.insert(position, name)
      order[i : i + 4] = unit
  linked = link(spec, nameless(spec, order), in_order=True)
  got = [linked.slots[f'layer_{i}/kernel'].layer for i in range(len(order))]
  assert got == order


def test_other_convolutions_between_those_of_the_trunk_are_passed_over():
  spec = specs.get('vgg11')
  file = nameless(spec, convolutions(spec))
  side_outputs = {}
  for i, (name, shape) in enumerate(file.items()):
    side_outputs[name] = shape
    side_outputs[f'side_{i}/kernel'] = (1, 1, shape[-1], 1)
  linked = link(spec, side_outputs, in_order=True)
  assert set(linked.slots) == set(file)


def test_a_trunk_of_other_shapes_is_not_linked_by_order():
  file = nameless(specs.get('vgg13'), convolutions(specs.get('vgg13')))
  assert not link(specs.get('vgg16'), file, in_order=True).slots


@pytest.mark.parametrize(
  ('shapes', 'expected'),
  [
    ({'a': (25088, 10)}, {'a': 'fc8'}),
    ({'b': (256, 10), 'a': (25088, 256)}, {'a': 'fc6', 'b': 'fc8'}),
    ({'c': (512, 100), 'b': (512, 512), 'a': (512, 512)}, {'b': 'fc6', 'a': 'fc7', 'c': 'fc8'}),
    ({'a': (25088, 64), 'b': (64, 32), 'c': (32, 16), 'd': (16, 2)}, {}),  # four layers
    ({'a': (25088, 64), 'b': (65, 2)}, {}),  # not connected
    ({'a': (25087, 64)}, {}),  # not a feature map
    ({'predictions': (64, 5), 'fc1': (25088, 64)}, {'fc1': 'fc6', 'predictions': 'fc8'}),
    ({'fc1': (25088, 64), 'fc2': (64, 64)}, {'fc1': 'fc6', 'fc2': 'fc7'}),  # without its last layer
    ({'fc1': (25088, 64), 'fc2': (64, 5)}, {'fc1': 'fc6', 'fc2': 'fc8'}),
  ],
)
def test_a_head_is_linked_by_its_shapes(shapes, expected):
  linked = link(specs.get('vgg16'), {f'{name}/kernel': shape for name, shape in shapes.items()})
  assert {n.partition('/')[0]: slot.layer for n, slot in linked.slots.items()} == expected


def test_a_head_of_torch_is_linked_by_shapes_not_by_its_numbers():
  shapes = {'classifier.0': (256, 25088), 'classifier.3': (10, 256)}  # fc6 and fc7 in torchvision
  arrays = {f'{name}.weight': np.zeros(shape) for name, shape in shapes.items()}
  foreign = ForeignWeights('f', 'torch', arrays, channels_first=True, dense_out_in=True)
  linked = linking.link(specs.get('vgg16'), foreign)
  assert [slot.layer for slot in linked.slots.values()] == ['fc6', 'fc8']


def test_batch_norm_in_a_head_is_linked_where_the_network_has_it():
  shapes = {'a/kernel': (512, 512), 'b/kernel': (512, 512), 'c/kernel': (512, 10)}
  shapes['n/moving_mean'] = (512,)
  linked = link(specs.get('vgg_cifar'), shapes)
  assert linked.slots['n/moving_mean'] == Slot('fc6', 'mean')
  assert 'n/moving_mean' not in link(specs.get('vgg16'), shapes).slots
