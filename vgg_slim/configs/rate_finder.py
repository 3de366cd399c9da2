"""Settings of the search for a learning rate."""

import dataclasses
import functools
from collections.abc import Sequence

from vgg_slim.configs.allowed import Allowed, at_least, positive
from vgg_slim.configs.base import Config
from vgg_slim.configs.fields import setting

HEADING = 'Search for a learning rate'
_setting = functools.partial(setting, heading=HEADING)


def _is_range(rates: Sequence[float]) -> bool:
  return len(rates) == 2 and 0 < rates[0] < rates[1]


@dataclasses.dataclass(frozen=True)
class RateFinderConfig(Config):
  """Range, length and time limit of the search; see `training.rate_finder`."""

  find_rates: tuple[float, ...] = _setting(
    (1e-6, 10.0),
    help='Lowest and highest learning rate to try, comma-separated.',
    allowed=Allowed('a positive rate and a higher one', _is_range),
  )
  find_steps: int = _setting(
    100,
    help='Number of steps of the range test, and of each trial. More steps show what a low rate '
    'does on a network that starts slowly.',
    allowed=at_least(20),
  )
  find_minutes: float = _setting(
    20.0,
    help='Number of minutes after which the search ends with the trials that are complete.',
    allowed=positive(),
  )
