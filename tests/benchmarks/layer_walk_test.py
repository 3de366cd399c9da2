import pytest

from vgg_slim.benchmarks import layer_walk
from vgg_slim.benchmarks.systems import NotMeasuredError
from vgg_slim.benchmarks.workload import Workload
from vgg_slim.nets.net_spec import Layer


def test_each_layer_reads_its_named_inputs():
  layers = (
    Layer('a', 'conv', ('images',), 4),
    Layer('b', 'conv', ('a',), 8),
    Layer('c', 'add', ('b', 'a'), 8),
  )
  kinds = {
    'conv': lambda layer, net: f'{layer.name}({net})',
    'add': lambda layer, left, right: f'{left}+{right}',
  }
  assert layer_walk.walk(layers, 'x', kinds) == 'b(a(x))+a(x)'
  assert layer_walk.input_channels(layers) == {'a': 3, 'b': 4, 'c': 8}


def test_a_kind_that_is_not_implemented_is_named():
  load = Workload('forward', 'vgg_a_lrn', 1, 32)
  with pytest.raises(NotMeasuredError, match='vgg_a_lrn has layers of kind lrn, which'):
    layer_walk.layers_of(load, dict.fromkeys(('conv', 'fc', 'max_pool', 'dropout')))
