import pytest

from vgg_slim.benchmarks import ceiling_shapes, workload
from vgg_slim.benchmarks.ceiling_shapes import Conv
from vgg_slim.benchmarks.workload import Workload
from vgg_slim.nets.net_spec import IMAGES


def test_flop_of_a_convolution_by_hand():
  conv = Conv(2, 7, 5, 4, kernel=3, stride=2, padding='VALID', output_side=3)
  assert conv.flop == 2 * (2 * 3 * 3) * (3 * 3 * 5 * 4)


def test_shapes_of_vgg_a_by_hand():
  load = Workload('train_step', 'vgg_a', 2, 64)
  convs = ceiling_shapes.convolutions(load, 'kernel_gradients')
  expected = [
    (64, 3, 64),
    (32, 64, 128),
    (16, 128, 256),
    (16, 256, 256),
    (8, 256, 512),
    (8, 512, 512),
    (4, 512, 512),
  ]
  assert convs == {
    Conv(2, side, channels, filters, 3, 1, 'SAME', side): 2 if side == 4 else 1
    for side, channels, filters in expected
  }
  # The images need no gradient.
  maps = ceiling_shapes.convolutions(load, 'map_gradients')
  assert convs.keys() - maps.keys() == {Conv(2, 64, 3, 64, 3, 1, 'SAME', 64)}


def test_zeros_that_same_does_not_add_count_in_the_side():
  convs = ceiling_shapes.convolutions(Workload('forward', 'resnet50', 1, 224), 'convolutions')
  assert Conv(1, 230, 3, 64, 7, 2, 'VALID', 112) in convs
  assert (
    Conv(1, 56, 64, 64, 3, 1, 'SAME', 56) in convs or Conv(1, 55, 64, 64, 3, 1, 'SAME', 55) in convs
  )


@pytest.mark.parametrize('model', ['vgg16@4', 'resnet50@4', 'resnet_v1_50@4'])
def test_operations_are_those_of_the_workload_without_its_fully_connected_layers(model):
  load = Workload('train_step', model, 2, 64, num_classes=2, fc_units=1)
  passes = {name: ceiling_shapes.flop(name, load) for name in ceiling_shapes.PASSES}
  total = workload.flop(load)
  heads = sum(layer.kind == 'fc' for layer in load.layers())
  assert heads
  assert total * 0.99 < sum(passes.values()) < total
  assert passes['map_gradients'] < passes['convolutions'] == passes['kernel_gradients']
  assert load.layers()[0].inputs == (IMAGES,)


def test_only_training_computes_gradients():
  assert ceiling_shapes.names(Workload('forward', 'vgg16', 1, 32)) == ('matmul', 'convolutions')
  assert ceiling_shapes.names(Workload('train_step', 'vgg16', 1, 32)) == (
    'matmul',
    'convolutions',
    'map_gradients',
    'kernel_gradients',
  )
