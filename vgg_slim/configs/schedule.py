"""Settings of the learning-rate schedule."""

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

_EFFECT = 'the schedule continues at this step as if it had had this value from the start'
_SCHEDULE = free(_EFFECT)
_RATE = resets('plateau', effect=_EFFECT)


@dataclasses.dataclass(frozen=True)
class ScheduleConfig:
  """Type and parameters of the schedule; see `training.schedules` for the formula of each type.

  Attributes:
    learning_rate: Initial learning rate; the peak of 'one_cycle'.
    learning_rate_decay_type: One of DECAY_TYPES.
    learning_rate_decay_factor: Factor by which each decay multiplies the rate; k of 'inverse_time'.
    epochs_per_decay: Epochs between two decays of 'exponential'.
    staircase: Whether 'exponential' decays in steps, instead of a little at every step.
    examples_per_decay: Number of training images between two decays of 'discrete_exponential'.
    learning_rate_boundaries: Epochs at which 'piecewise' changes the rate, increasing.
    learning_rate_values: Rates of 'piecewise' from each boundary on; empty to multiply by the decay
      factor instead.
    end_learning_rate: Final rate of 'polynomial', 'cosine' and 'one_cycle'.
    decay_power: Exponent of 'polynomial'; 1 is linear.
    schedule_epochs: Epochs after which 'polynomial', 'cosine' and 'one_cycle' end; None for the
      length of the run.
    warmup_epochs: Epochs of a linear warm-up to `learning_rate`, before the schedule starts.
    plateau_patience: Number of epochs without improvement before 'plateau' decays the rate.
    plateau_min_delta: Smallest difference of the metric that counts as an improvement.
    plateau_max_falls: Largest number of decays of 'plateau'.
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
    increasing = all(a > 0 for a in boundaries) and list(boundaries) == sorted(set(boundaries))
    checks.require(increasing, 'learning_rate_boundaries', 'positive, increasing epochs')
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
