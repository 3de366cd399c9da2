import math

import pytest

from vgg_slim.configs import allowed


@pytest.mark.parametrize(
  ('values', 'accepted', 'refused'),
  [
    (allowed.at_least(1), [1, 1.0, math.inf], [0, 0.99, math.nan]),
    (allowed.positive(), [1e-9, 3], [0, -1, math.nan]),
    (allowed.between('[0, 1)'), [0, 0.99], [-1e-9, 1, math.nan]),
    (allowed.between('(0, 1]'), [1e-9, 1], [0, 1.01]),
    (allowed.between('[0, 2**31)'), [0, 2**31 - 1], [2**31]),
    (allowed.one_of(['a', 'b']), ['a'], ['c', '', ['a']]),
    (allowed.some_of(['a', 'b']), [(), ('b',), ('b', 'a')], [('a', 'c')]),
  ],
)
def test_bounds(values, accepted, refused):
  assert [value for value in (*accepted, *refused) if values.accepts(value)] == accepted


@pytest.mark.parametrize(
  'values',
  [
    allowed.at_least(1),
    allowed.positive(),
    allowed.between('[0, 1]'),
    allowed.one_of('a'),
    allowed.some_of('a'),
  ],
)
def test_a_value_of_another_type_is_refused(values):
  assert not values.accepts(None)


@pytest.mark.parametrize(
  ('values', 'text'),
  [
    (allowed.at_least(1), 'at least 1'),
    (allowed.positive(), 'positive'),
    (allowed.between('[0, 2**31)'), 'in [0, 2**31)'),
    (allowed.one_of(['a', 'b']), "one of ('a', 'b')"),
    (allowed.some_of({'a': 1}), "some of ('a',)"),
  ],
)
def test_descriptions(values, text):
  assert values.text == text


def test_only_one_of_limits_a_flag_to_names():
  assert allowed.one_of({'a': 1, 'b': 2}).names == ('a', 'b')
  assert allowed.some_of(['a']).names == ()
