import pytest

from vgg_slim.errors import ConfigError
from vgg_slim.nets import head_specs, specs
from vgg_slim.nets.net_spec import count


def test_no_head_has_more_hidden_layers_than_scopes():
  assert all(len(head.hidden) <= 2 for head in head_specs.HEADS.values())


def test_size_of_a_head_with_256_units_by_hand():
  # 4x4x512 features of 150 px, 256 hidden units, one sigmoid.
  spec = specs.get('vgg16')
  head = count(spec.parameter_shapes(1, 150, head='fc256')) - count(spec.parameter_shapes(None))
  assert head == (4 * 4 * 512 * 256 + 256) + (256 + 1)


def test_a_new_head_of_a_resnet_reads_averaged_features():
  spec = specs.get('resnet50')
  shapes = spec.parameter_shapes(4, head='fc512_512')
  assert list(shapes.values())[-6:] == [
    (1, 1, 2048, 512),
    (512,),
    (1, 1, 512, 512),
    (512,),
    (1, 1, 512, 4),
    (4,),
  ]
  assert spec.head_window(224) == 1
  assert spec.head_window(224, 'fc512_512') == 7


def test_size_of_an_average_head_of_vgg_by_hand():
  spec = specs.get('vgg16')
  shapes = spec.parameter_shapes(10, 224, head='average_fc256')
  assert list(shapes.values())[-4:] == [(1, 1, 512, 256), (256,), (1, 1, 256, 10), (10,)]
  assert spec.head_window(224, 'average') == 1
  assert spec.head_window(224, 'average_fc256') == 7


def test_an_unknown_head_is_refused():
  with pytest.raises(ConfigError, match="Unknown head 'mlp'"):
    head_specs.get('mlp')
