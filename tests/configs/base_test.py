import dataclasses

import pytest

from vgg_slim.configs.allowed import at_least, positive
from vgg_slim.configs.base import Config
from vgg_slim.configs.fields import setting
from vgg_slim.errors import ConfigError


@dataclasses.dataclass(frozen=True)
class Some(Config):
  low: int = setting(1, help='A number.', allowed=at_least(1))
  high: int = setting(9, help='A number.', allowed=at_least(1))
  limit: float | None = setting(None, help='A limit.', allowed=positive())
  free: str = setting('', help='Any text.')
  plain: int = -1

  def _check_together(self, checks):
    checks.require(self.low <= self.high, 'high', f'at least low={self.low}')


def test_the_defaults_are_allowed():
  assert Some() == Some(1, 9, None, '', -1)


def test_every_wrong_value_is_listed_in_the_order_of_the_fields_and_then_those_together():
  with pytest.raises(ConfigError) as error:
    Some(low=3, high=0, limit=-1.0)
  assert str(error.value) == (
    'high must be at least 1, got 0; limit must be positive, got -1.0; '
    'high must be at least low=3, got 0.'
  )


def test_only_a_setting_that_is_none_by_default_may_be_none():
  assert Some(limit=None).limit is None

  @dataclasses.dataclass(frozen=True)
  class Needed(Config):
    rate: float = setting(0.5, help='A rate.', allowed=positive())

  with pytest.raises(
    ConfigError, match='rate must be a finite number in the range of float32, got None'
  ):
    Needed(rate=None)


def test_a_value_of_another_type_is_named():
  with pytest.raises(
    ConfigError, match="limit must be a finite number in the range of float32 or null, got 'x'"
  ):
    Some(limit='x')


def test_lists_become_tuples_at_every_level():
  @dataclasses.dataclass(frozen=True)
  class Lists(Config):
    rows: tuple[tuple[float, ...], ...] = setting(help='Rows.')

  assert Lists([[1.0], [2.0, 3.0]]).rows == ((1.0,), (2.0, 3.0))
