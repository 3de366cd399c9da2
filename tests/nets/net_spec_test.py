import pytest

from vgg_slim.nets import net_spec, specs
from vgg_slim.nets.net_spec import Layer


@pytest.mark.parametrize(
  ('kernel', 'stride', 'padding', 'side', 'output'),
  [
    (3, 1, 1, 5, 5),
    (2, 2, 0, 5, 2),
    (7, 2, 3, 224, 112),
    (3, 2, 0, 112, 55),
    (3, 2, 1, 112, 56),
    (3, 2, 'SAME', 113, 57),
    (3, 2, 0, 2, 0),
  ],
)
def test_output_side_of_kernel_stride_and_padding(kernel, stride, padding, side, output):
  assert Layer('a', 'conv', (), 1, kernel, stride, padding).output_side(side) == output


@pytest.mark.parametrize('model', specs.NETWORKS)
def test_stride_and_smallest_image_of_every_trunk(model):
  spec = specs.get(model)
  assert spec.stride == 32
  smallest = {'resnet50': 5}.get(model, 1 if spec.average else 32)
  assert spec.minimum_side == smallest


@pytest.mark.parametrize('model', specs.NETWORKS)
def test_layers_read_only_earlier_layers(model):
  seen = {net_spec.IMAGES}
  for layer in specs.get(model).layers():
    assert seen.issuperset(layer.inputs)
    assert layer.name not in seen
    seen.add(layer.name)


def test_smallest_side_for_a_window():
  assert specs.get('vgg16').smallest_side(7) == 224


def test_head_scopes_are_those_of_its_layers():
  vgg16 = specs.get('vgg16')
  assert vgg16.head_scopes() == ('vgg_16/fc6', 'vgg_16/fc7', 'vgg_16/fc8')
  assert vgg16.head_scopes('fc256') == ('vgg_16/fc6', 'vgg_16/fc8')
  assert specs.get('resnet_v1_50').head_scopes() == ('resnet_v1_50/logits',)
