import numpy as np
import pytest

from vgg_slim.errors import WeightMismatchError
from vgg_slim.nets import specs
from vgg_slim.weights import names
from vgg_slim.weights.foreign import ForeignWeights
from vgg_slim.weights.names import Slot


def link(model, arrays, framework='torch'):
  """Links a file with arrays of these names."""
  zeros = {name: np.zeros(1) for name in arrays}
  return names.link(specs.get(model), ForeignWeights('f', framework, zeros))


@pytest.mark.parametrize(
  ('model', 'name', 'slot'),
  [
    ('vgg16', 'vgg_16/conv1/conv1_1/weights', Slot('conv1/conv1_1', 'kernel')),
    ('vgg16', 'block5_conv3/bias', Slot('conv5/conv5_3', 'bias')),
    ('vgg16', 'conv3_2_W', Slot('conv3/conv3_2', 'kernel')),
    ('vgg16', 'fc8_b', Slot('fc8', 'bias')),
    ('vgg16', 'predictions/kernel', Slot('fc8', 'kernel')),
    ('vgg16', 'module.features.28.weight', Slot('conv5/conv5_3', 'kernel')),
    ('vgg16', 'classifier.3.bias', Slot('fc7', 'bias')),
    ('vgg16', 'pre_logits.fc1.weight', Slot('fc6', 'kernel')),
    ('vgg16_bn', 'features.41.running_var', Slot('conv5/conv5_3', 'variance')),
    ('vgg16_bn', 'features.41.weight', Slot('conv5/conv5_3', 'gamma')),
    ('vgg16_bn', 'vgg_16_bn/conv1/conv1_1/BatchNorm/beta', Slot('conv1/conv1_1', 'beta')),
    ('vgg11', 'features.18.weight', Slot('conv5/conv5_2', 'kernel')),
    ('resnet_v1_50', 'resnet_v1_50/logits/weights', Slot('logits', 'kernel')),
    ('resnet_v1_50', 'resnet_v1_50/conv1/BatchNorm/gamma', Slot('conv1', 'gamma')),
    (
      'resnet50_keras',
      'conv3_block1_0_conv/kernel',
      Slot('block2/unit_1/bottleneck_v1/shortcut', 'kernel'),
    ),
    (
      'resnet50_keras',
      'bn5c_branch2b/moving_mean',
      Slot('block4/unit_3/bottleneck_v1/conv2', 'mean'),
    ),
  ],
)
def test_names_of_every_framework_are_linked(model, name, slot):
  assert link(model, [name]) == {name: slot}


def test_numbers_of_exporters_are_dropped_for_onnx_only():
  onnx = link('vgg16', ['block1_conv1_1/kernel', 'block1_conv2_1/kernel'], 'onnx')
  assert [slot.layer for slot in onnx.values()] == ['conv1/conv1_1', 'conv1/conv1_2']
  assert link('vgg16', ['block1_conv1_1/kernel'], 'keras') == {}


@pytest.mark.parametrize('model', sorted(specs.NETWORKS))
def test_all_our_own_names_are_linked(model):
  spec = specs.get(model)
  shapes = {**spec.parameter_shapes(10), **spec.non_trainable_shapes(10)}
  linked = link(model, [f'{spec.scope}/{name}' for name in shapes], 'slim')
  assert {names.our_name(slot) for slot in linked.values()} == set(shapes)


def test_unknown_layers_and_parts_have_no_slot():
  assert set(link('vgg16', ['conv1_1_W', 'conv6_1_W', 'conv1_1/gamma'])) == {'conv1_1_W'}


def test_of_two_parts_with_the_same_names_the_larger_one_is_linked():
  linked = link('vgg16', ['a.conv1_1.weight', 'a.conv1_2.weight', 'b.conv1_1.weight'])
  assert set(linked) == {'a.conv1_1.weight', 'a.conv1_2.weight'}


def test_trunks_of_the_family_are_known_by_name():
  found = names.in_trunks_of_family(
    specs.get('vgg11'), ['block5_conv4/kernel', 'fc1/kernel', 'dsn1/kernel', 'block6_conv1/kernel']
  )
  assert found == ['block5_conv4/kernel']


def test_two_arrays_for_one_slot_are_named():
  with pytest.raises(
    WeightMismatchError, match='conv1/conv1_1/weights <- a/conv1_1/weights and b/conv1_1/weights'
  ):
    link('vgg16', ['a/conv1_1/weights', 'b/conv1_1/weights'])


@pytest.mark.parametrize(
  ('model', 'name', 'owner'),
  [
    ('resnet50_keras', 'layer1.0.conv1.weight', 'torchvision'),
    ('resnet_v1_50', 'conv2_block1_1_conv/kernel', 'Keras applications'),
  ],
)
def test_a_resnet_with_strides_elsewhere_is_refused(model, name, owner):
  with pytest.raises(WeightMismatchError, match=f'ResNet of {owner} strides in convolution'):
    link(model, [name])
