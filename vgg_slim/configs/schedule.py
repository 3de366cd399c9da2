"""The learning rate as a function of the step."""

import dataclasses

from vgg_slim.configs.checks import Checks
from vgg_slim.configs.fields import FREE, free, resets, setting

DECAY_TYPES = (
  'fixed',
  'exponential',
  'piecewise',
  'discrete_exponential',
  'inverse_time',
  'polynomial',
  'cosine',
  'one_cycle',
  'plateau',
)

_SCHEDULE = free('the schedule goes on at this step as if it had been so from the first')
_RATE = resets(
  'plateau', follows='the schedule goes on at this step as if it had been so from the first'
)


@dataclasses.dataclass(frozen=True)
class ScheduleConfig:
  """`training.schedules` says which formula each type is; lengths are in epochs.

  Attributes:
    learning_rate: where the schedule starts; the peak of 'one_cycle'.
    learning_rate_decay_type: one of DECAY_TYPES.
    learning_rate_decay_factor: what the rate is multiplied by at a fall; k of 'inverse_time'.
    epochs_per_decay: between two falls of 'exponential'.
    staircase: whether 'exponential' falls at once; else it falls a little at every step.
    examples_per_decay: pictures trained on between two falls of 'discrete_exponential'.
    learning_rate_boundaries: epochs at which 'piecewise' changes the rate.
    learning_rate_values: its rate from each boundary on; empty to multiply by the factor instead.
    end_learning_rate: where 'polynomial', 'cosine' and 'one_cycle' end.
    decay_power: of 'polynomial'; 1 is a straight line.
    schedule_epochs: after which these three end; None for the length of the run.
    warmup_epochs: of a straight line up to `learning_rate`, in front of the schedule.
    plateau_patience: epochs without a better validation before 'plateau' falls.
    plateau_min_delta: by how much an epoch has to be better.
    plateau_max_falls: how often it falls.
  """

  learning_rate: float = setting(0.004, resume=_RATE)
  learning_rate_decay_type: str = setting('exponential', resume=_SCHEDULE)
  learning_rate_decay_factor: float = setting(0.1, resume=_SCHEDULE)
  epochs_per_decay: float = setting(10.0, resume=_SCHEDULE)
  staircase: bool = setting(True, resume=_SCHEDULE)
  examples_per_decay: int = setting(5_000_000, resume=_SCHEDULE)
  learning_rate_boundaries: tuple[float, ...] = setting((), resume=_SCHEDULE)
  learning_rate_values: tuple[float, ...] = setting((), resume=_SCHEDULE)
  end_learning_rate: float = setting(0.0, resume=_SCHEDULE)
  decay_power: float = setting(1.0, resume=_SCHEDULE)
  schedule_epochs: float | None = setting(None, resume=_SCHEDULE)
  warmup_epochs: float = setting(0.0, resume=_SCHEDULE)
  plateau_patience: int = setting(3, resume=FREE)
  plateau_min_delta: float = setting(0.0, resume=FREE)
  plateau_max_falls: int = setting(3, resume=FREE)

  def __post_init__(self):
    for name in ('learning_rate_boundaries', 'learning_rate_values'):
      object.__setattr__(self, name, tuple(getattr(self, name)))
    checks = Checks(self)
    self._check(checks)
    checks.raise_all()

  def _check(self, checks: Checks) -> None:
    checks.require(self.learning_rate > 0, 'learning_rate', 'positive')
    decay_ok = self.learning_rate_decay_type in DECAY_TYPES
    checks.require(decay_ok, 'learning_rate_decay_type', f'one of {DECAY_TYPES}')
    factor_ok = 0 < self.learning_rate_decay_factor <= 1
    checks.require(factor_ok, 'learning_rate_decay_factor', 'in (0, 1]')
    for name in ('epochs_per_decay', 'examples_per_decay', 'decay_power'):
      checks.require(getattr(self, name) > 0, name, 'positive')
    self._check_pieces(checks)
    for name in ('end_learning_rate', 'warmup_epochs', 'plateau_min_delta', 'plateau_max_falls'):
      checks.require(getattr(self, name) >= 0, name, 'at least 0')
    checks.require(self.plateau_patience >= 1, 'plateau_patience', 'at least 1')
    length_ok = self.schedule_epochs is None or self.schedule_epochs > 0
    checks.require(length_ok, 'schedule_epochs', 'positive')

  def _check_pieces(self, checks: Checks) -> None:
    boundaries, values = self.learning_rate_boundaries, self.learning_rate_values
    rising = all(a > 0 for a in boundaries) and list(boundaries) == sorted(set(boundaries))
    checks.require(rising, 'learning_rate_boundaries', 'positive epochs that rise')
    as_many = not values or len(values) == len(boundaries)
    checks.require(
      as_many and all(value > 0 for value in values),
      'learning_rate_values',
      f'empty or {len(boundaries)} positive rates, one for each boundary',
    )
    needed = self.learning_rate_decay_type == 'piecewise'
    checks.require(
      bool(boundaries) or not needed, 'learning_rate_boundaries', 'given for piecewise'
    )
