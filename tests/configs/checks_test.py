import dataclasses

import pytest

from vgg_slim.configs.checks import Checks, build_all, check_fields
from vgg_slim.errors import ConfigError


@dataclasses.dataclass
class Section:
  side: int
  scale: float = 1.0


def test_all_problems_are_raised_at_once():
  checks = Checks(Section(0, -1.0))
  checks.require(False, 'side', 'at least 1')
  checks.require(False, 'scale', 'positive')
  with pytest.raises(ConfigError, match='side must be at least 1, got 0; scale .*got -1.0[.]$'):
    checks.raise_all()


def test_no_problem_raises_nothing():
  checks = Checks(Section(1))
  checks.require(True, 'side', 'at least 1')
  assert checks.raise_all() is None


@pytest.mark.parametrize(
  ('values', 'may_lack_defaults', 'message'),
  [
    ([], False, 'here must be an object, got list'),
    ({'side': 1}, False, "here: missing ['scale'], unknown []"),
    ({'scale': 1}, True, "here: missing ['side'], unknown []"),
    ({'side': 1, 'depth': 2}, True, "here: missing [], unknown ['depth']"),
  ],
)
def test_missing_and_unknown_fields_are_listed(values, may_lack_defaults, message):
  with pytest.raises(ConfigError) as error:
    check_fields(values, Section, 'here', may_lack_defaults)
  assert message in str(error.value)


def test_a_field_with_a_default_may_be_missing():
  assert check_fields({'side': 1}, Section, 'here', may_lack_defaults=True) is None


def test_what_is_built_has_its_name_and_all_errors_are_in_one():
  def fail(text):
    raise ConfigError(text)

  assert build_all({'a': lambda: 1, 'b': lambda: 2}) == {'a': 1, 'b': 2}
  with pytest.raises(ConfigError, match=r'^First[.] Second[.]$'):
    build_all({'a': lambda: fail('First.'), 'b': lambda: 2, 'c': lambda: fail('Second.')})
