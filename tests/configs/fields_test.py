import dataclasses

import pytest

from vgg_slim.configs import fields

SWITCH = fields.free_within(bool, 'off or on')


@dataclasses.dataclass(frozen=True)
class Some:
  needed: int = fields.setting(help='A side.', resume=fields.REFUSED, has_flag=False)
  rate: float = fields.setting(0.5, help='A rate.', resume=fields.FREE, heading='Rates')
  silent: int = 0


def test_a_setting_is_an_ordinary_field():
  assert Some(3) == Some(needed=3, rate=0.5, silent=0)
  assert Some.rate == 0.5
  with pytest.raises(TypeError, match='needed'):
    Some()


def test_a_setting_says_what_it_means():
  needed, rate, silent = map(fields.find_setting, dataclasses.fields(Some))
  assert needed == fields.Setting('A side.', None, fields.REFUSED, None, has_flag=False)
  assert rate == fields.Setting('A rate.', None, fields.FREE, 'Rates')
  assert silent is None


def test_a_field_declares_its_rule_and_is_refused_by_default():
  rules = {field.name: fields.resume_rule(field) for field in dataclasses.fields(Some)}
  assert rules == {'needed': fields.REFUSED, 'rate': fields.FREE, 'silent': fields.REFUSED}


@pytest.mark.parametrize(
  ('rule', 'before', 'after', 'refused', 'described'),
  [
    (fields.REFUSED, 1, 2, True, 'refused'),
    (fields.REFUSED, 1, 1, False, 'refused'),
    (fields.free('it is'), 1, 2, False, 'free: it is'),
    (fields.kept('of step 0'), 1, 2, False, 'kept: of step 0'),
    (fields.resets('a', 'b', effect='so'), 1, 2, False, 'free, resets a and b: so'),
    (
      SWITCH,
      0,
      1,
      True,
      'free: the new value applies from this step on; off or on',
    ),
    (
      SWITCH,
      1,
      2,
      False,
      'free: the new value applies from this step on; off or on',
    ),
  ],
)
def test_what_a_rule_refuses_and_how_it_is_described(rule, before, after, refused, described):
  assert rule.refuses(before, after) is refused
  assert rule.describe() == described
