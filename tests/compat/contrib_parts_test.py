import copy

import pytest

from vgg_slim.compat import contrib_parts


def make():
  return contrib_parts.HParams(rate=0.1, steps=3, name='vgg', sizes=[1, 2], flip=True, extra=None)


def test_values_are_attributes():
  values = make()
  values.steps = 4
  values.new = 5
  assert (values.rate, values.steps, values.new, values.get('missing', 6)) == (0.1, 4, 5, 6)
  assert 'rate' in values
  assert 'missing' not in values
  assert not hasattr(values, 'missing')


def test_a_string_sets_values_of_the_same_types():
  values = make().parse('rate=1,steps=5,name=resnet,sizes=[3,4,5],flip=false')
  assert values.values() == {
    'rate': 1.0,
    'steps': 5,
    'name': 'resnet',
    'sizes': [3, 4, 5],
    'flip': False,
    'extra': None,
  }
  assert isinstance(values.rate, float)
  assert values.parse('sizes[1]=9').sizes == [3, 9, 5]


@pytest.mark.parametrize('text', ['steps=1.5', 'steps=[1]', 'sizes=1', 'flip=3', 'rate=high'])
def test_values_of_other_types_are_refused(text):
  with pytest.raises(ValueError, match='cannot become'):
    make().parse(text)


def test_unknown_and_repeated_names():
  with pytest.raises(KeyError, match='Unknown hyperparameter: depth'):
    make().parse('depth=3')
  with pytest.raises(ValueError, match='reserved: rate'):
    make().add_hparam('rate', 1)


def test_json_and_copies():
  values = make()
  copied = copy.deepcopy(values).parse_json('{"steps": 8}')
  assert (values.steps, copied.steps) == (3, 8)
  assert '"steps": 8' in copied.to_json()
  copied.del_hparam('steps')
  assert 'steps' not in copied


def test_modes():
  assert contrib_parts.ModeKeys.TRAIN == 'train'
