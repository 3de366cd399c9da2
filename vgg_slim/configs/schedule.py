"""Settings of the learning-rate schedule."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import NamedTuple

from vgg_slim.configs.allowed import Allowed, at_least, between, one_of, positive
from vgg_slim.configs.base import Config
from vgg_slim.configs.checks import Checks
from vgg_slim.configs.fields import FREE, free, resets, setting
from vgg_slim.configs.kinds import users

ONE_CYCLE_START = 25  # highest learning rate / first one


class Schedule(NamedTuple):
  """A type of schedule, whose formula is in `training.schedules` under the same name.

  Attributes:
    rate: clause for `--help` that says how the learning rate develops.
    settings: names of the settings that it reads besides the learning rate and the warm-up.
  """

  rate: str
  settings: tuple[str, ...] = ()


SCHEDULES = {
  'fixed': Schedule('does not change'),
  'exponential': Schedule(
    'times the factor every --epochs_per_decay',
    ('learning_rate_decay_factor', 'epochs_per_decay', 'staircase'),
  ),
  'piecewise': Schedule(
    'changes at --learning_rate_boundaries',
    ('learning_rate_boundaries', 'learning_rate_values', 'learning_rate_decay_factor'),
  ),
  'discrete_exponential': Schedule(
    'times the factor every --examples_per_decay',
    ('learning_rate_decay_factor', 'examples_per_decay'),
  ),
  'inverse_time': Schedule(
    'rate / (1 + factor * step), the decay of SGD in Keras', ('learning_rate_decay_factor',)
  ),
  'polynomial': Schedule(
    'a power of the remaining steps, down to --end_learning_rate',
    ('end_learning_rate', 'decay_power', 'schedule_epochs'),
  ),
  'cosine': Schedule(
    'half a cosine, down to --end_learning_rate', ('end_learning_rate', 'schedule_epochs')
  ),
  'one_cycle': Schedule(
    f'from 1/{ONE_CYCLE_START} of --learning_rate up to it, then down to --end_learning_rate',
    ('end_learning_rate', 'schedule_epochs'),
  ),
  'plateau': Schedule(
    'times the factor whenever validation stops improving, as in the VGG paper',
    (
      *('learning_rate_decay_factor', 'plateau_patience'),
      *('plateau_min_delta', 'plateau_max_falls'),
    ),
  ),
}

_EFFECT = 'the schedule continues at this step as if it had had this value from the start'
_SCHEDULE = free(_EFFECT)
_RATE = resets('plateau', effect=_EFFECT)
_setting = functools.partial(setting, heading='Learning rate')


def _users(name: str) -> str:
  return users(SCHEDULES, name)


def _are_boundaries(epochs: Sequence[float]) -> bool:
  return all(epoch > 0 for epoch in epochs) and list(epochs) == sorted(set(epochs))


@dataclasses.dataclass(frozen=True)
class ScheduleConfig(Config):
  """Type and parameters of the schedule."""

  learning_rate: float = _setting(
    0.004,
    help='Learning rate at step 0. VGG without batch norm needs at most 1e-2 with momentum SGD and '
    'at most 1e-4 with Adam.',
    allowed=positive(),
    resume=_RATE,
  )
  learning_rate_decay_type: str = _setting(
    'exponential',
    help='Schedule of the learning rate. '
    + '; '.join(f'{name}: {schedule.rate}' for name, schedule in SCHEDULES.items())
    + '.',
    allowed=one_of(SCHEDULES),
    resume=_SCHEDULE,
  )
  learning_rate_decay_factor: float = _setting(
    0.1,
    help='Factor that the learning rate is multiplied by at each decay.',
    allowed=between('(0, 1]'),
    resume=_SCHEDULE,
  )
  epochs_per_decay: float = _setting(
    10.0,
    help=f'Number of epochs between two decays of {_users("epochs_per_decay")}.',
    allowed=positive(),
    resume=_SCHEDULE,
  )
  staircase: bool = _setting(
    True,
    help=f'Let {_users("staircase")} decay at intervals; otherwise it decays a little at every '
    'step.',
    resume=_SCHEDULE,
  )
  examples_per_decay: int = _setting(
    5_000_000,
    help=f'Number of training images between two decays of {_users("examples_per_decay")}.',
    allowed=positive(),
    resume=_SCHEDULE,
  )
  learning_rate_boundaries: tuple[float, ...] = _setting(
    (),
    help=f'Comma-separated epochs at which {_users("learning_rate_boundaries")} changes the '
    'learning rate, such as 30,60,80.',
    allowed=Allowed('positive, increasing epochs', _are_boundaries),
    resume=_SCHEDULE,
  )
  learning_rate_values: tuple[float, ...] = _setting(
    (),
    help=f'Comma-separated learning rates of {_users("learning_rate_values")} after each boundary. '
    'By default each is the factor times the one before.',
    resume=_SCHEDULE,
  )
  end_learning_rate: float = _setting(
    0.0,
    help=f'Learning rate at the end of {_users("end_learning_rate")}.',
    allowed=at_least(0),
    resume=_SCHEDULE,
  )
  decay_power: float = _setting(
    1.0,
    help=f'Exponent of {_users("decay_power")}; 1 is linear.',
    allowed=positive(),
    resume=_SCHEDULE,
  )
  schedule_epochs: float | None = _setting(
    None,
    help=f'Number of epochs after which {_users("schedule_epochs")} end. Defaults to the whole '
    'run; give it if --max_steps stops a run that will be resumed later.',
    allowed=positive(),
    resume=_SCHEDULE,
  )
  warmup_epochs: float = _setting(
    0.0,
    help='Number of epochs of linear warmup before any schedule.',
    allowed=at_least(0),
    resume=_SCHEDULE,
  )
  plateau_patience: int = _setting(
    3,
    help='Number of epochs without improvement in validation after which plateau decays.',
    allowed=at_least(1),
    resume=FREE,
  )
  plateau_min_delta: float = _setting(
    0.0,
    help='Smallest improvement in validation that plateau counts.',
    allowed=at_least(0),
    resume=FREE,
  )
  plateau_max_falls: int = _setting(
    3,
    help='Largest number of decays of plateau; the paper has 3.',
    allowed=at_least(0),
    resume=FREE,
  )

  def _check_together(self, checks: Checks) -> None:
    boundaries, values = self.learning_rate_boundaries, self.learning_rate_values
    one_per_boundary = not values or len(values) == len(boundaries)
    checks.require(
      one_per_boundary and all(value > 0 for value in values),
      'learning_rate_values',
      f'empty or {len(boundaries)} positive rates, one for each boundary',
    )
    needed = self.learning_rate_decay_type == 'piecewise'
    checks.require(
      bool(boundaries) or not needed, 'learning_rate_boundaries', "given for 'piecewise'"
    )
