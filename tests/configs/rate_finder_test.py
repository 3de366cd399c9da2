import pytest

from vgg_slim.configs.rate_finder import RateFinderConfig
from vgg_slim.errors import ConfigError


@pytest.mark.parametrize(
  ('values', 'message'),
  [
    ({'find_rates': (1.0, 1e-3)}, 'find_rates must be a positive rate and a higher one'),
    ({'find_rates': (0.0, 1.0)}, 'find_rates must be a positive rate and a higher one'),
    ({'find_rates': (1e-3,)}, 'find_rates must be a positive rate and a higher one'),
    ({'find_steps': 19}, 'find_steps must be at least 20'),
    ({'find_minutes': 0.0}, 'find_minutes must be positive'),
  ],
)
def test_values_that_make_no_search_are_refused(values, message):
  with pytest.raises(ConfigError, match=message):
    RateFinderConfig(**values)


def test_a_search_covers_seven_decades_by_default():
  assert RateFinderConfig().find_rates == (1e-6, 10.0)
