import pytest

from tests.nets.counts import num_elements
from vgg_slim.errors import ConfigError
from vgg_slim.nets import head_specs, specs


def test_no_head_has_more_hidden_layers_than_scopes():
  assert all(len(head.hidden) <= 2 for head in head_specs.HEADS.values())


def test_size_of_a_head_with_256_units_by_hand():
  # 4x4x512 features of 150 px, 256 hidden units, one sigmoid.
  spec = specs.get('vgg16')
  whole, trunk = spec.parameter_shapes(1, 150, head='fc256'), spec.parameter_shapes(None)
  head = num_elements(whole) - num_elements(trunk)
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


@pytest.mark.parametrize('head', ['linear', 'average', 'fc256', 'fc512_512', 'average_fc256'])
def test_rows_of_the_table_have_the_names_of_their_units(head):
  row = head_specs.get(head)
  assert head_specs.by_units(tuple(fc.units for fc in row.hidden), row.average) == head


@pytest.mark.parametrize('head', ['fc128', 'fc512_100', 'average_fc1_2'])
def test_a_head_of_any_units_has_a_name(head):
  row = head_specs.get(head)
  assert head_specs.by_units(tuple(fc.units for fc in row.hidden), row.average) == head
  assert all(fc.relu and fc.dropout and not fc.batch_norm for fc in row.hidden)


def test_only_the_head_of_the_paper_has_free_units():
  assert [head for head in head_specs.HEADS if head_specs.has_free_units(head)] == ['vgg']


@pytest.mark.parametrize('head', ['mlp', 'fc0', 'fc', 'fc1_2_3', 'average_'])
def test_an_unknown_head_is_refused(head):
  with pytest.raises(ConfigError, match=f'Unknown head {head!r}.* units as in fc128'):
    head_specs.get(head)
