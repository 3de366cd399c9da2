"""Length of a run, and how often it reports, saves and validates."""

import dataclasses
import math

from vgg_slim.configs.checks import Checks
from vgg_slim.configs.fields import FREE, REFUSED, free, resets, setting

# Minimum length of a run without --epochs and --max_steps; about that of the digits recipe.
FEWEST_STEPS = 600
BEST_METRICS = ('accuracy', 'loss')

_LENGTH = free(
  'the run ends there, and so do polynomial, cosine and one_cycle unless schedule_epochs is set'
)
_OLDER = free('older checkpoints are removed when the next one is saved')
_BEST = free('it takes effect at the next validation')
_COMPARISON = resets(
  *('best', 'early_stop', 'plateau'),
  effect='epochs are compared by this metric from this step on',
)


@dataclasses.dataclass(frozen=True)
class RunConfig:
  """Length, random seed, and the intervals of logging, checkpoints and summaries.

  Attributes:
    batch_size: Number of images in each training step, over all devices and workers.
    epochs: Passes over the training split; ignored when `max_steps` is given.
    max_steps: Last global step, or None.
    seed: Random seed for weight initialization, shuffling, augmentation and dropout.
    log_every_steps: Steps between two progress lines and scalar summaries.
    save_every_steps: Steps between two checkpoints, in addition to the one after every epoch.
    image_summary_every_steps: Steps between two image summaries; 0 for none, also of validation.
    histogram_every_steps: Steps between two histograms of weights, gradients and activations; 0 for
      none.
    profile_steps: First and last step whose operations are timed; empty for none.
    keep_checkpoints: Number of newest checkpoints to keep.
    keep_best: Whether the checkpoint of the best epoch is also kept, in `best/`.
    best_metric: Metric that decides which epoch is better, one of BEST_METRICS; also used by early
      stopping and 'plateau'.
    early_stop_patience: Number of epochs without improvement after which the run ends; None to
      never end early.
    early_stop_min_delta: Smallest difference of the metric that counts as an improvement.
    alarm_steps: Number of steps that the loss may stay at chance level before an alarm, and steps
      between two checks for dead units; 0 for no alarms.
  """

  batch_size: int = setting(32, resume=REFUSED)
  epochs: float = setting(14.0, resume=_LENGTH)
  max_steps: int | None = setting(None, resume=_LENGTH)
  seed: int = setting(0, resume=REFUSED)
  log_every_steps: int = setting(10, resume=FREE)
  save_every_steps: int = setting(1000, resume=FREE)
  image_summary_every_steps: int = setting(500, resume=FREE)
  histogram_every_steps: int = setting(0, resume=FREE)
  profile_steps: tuple[int, ...] = setting((), resume=FREE)
  keep_checkpoints: int = setting(3, resume=_OLDER)
  keep_best: bool = setting(False, resume=_BEST)
  best_metric: str = setting('accuracy', resume=_COMPARISON)
  early_stop_patience: int | None = setting(None, resume=FREE)
  early_stop_min_delta: float = setting(0.0, resume=FREE)
  alarm_steps: int = setting(200, resume=FREE)

  def __post_init__(self):
    object.__setattr__(self, 'profile_steps', tuple(self.profile_steps))
    checks = Checks(self)
    checks.require(self.batch_size >= 1, 'batch_size', 'at least 1')
    checks.require(self.epochs > 0, 'epochs', 'positive')
    checks.require(self.max_steps is None or self.max_steps >= 1, 'max_steps', 'at least 1')
    checks.require(0 <= self.seed < 2**31, 'seed', 'in [0, 2**31)')
    checks.require(self.log_every_steps >= 1, 'log_every_steps', 'at least 1')
    checks.require(self.save_every_steps >= 1, 'save_every_steps', 'at least 1')
    for name in ('image_summary_every_steps', 'histogram_every_steps'):
      checks.require(getattr(self, name) >= 0, name, 'at least 0')
    steps = self.profile_steps
    steps_ok = not steps or (len(steps) == 2 and 1 <= steps[0] <= steps[1])
    checks.require(steps_ok, 'profile_steps', 'the first step, at least 1, and the last')
    checks.require(self.keep_checkpoints >= 1, 'keep_checkpoints', 'at least 1')
    checks.require(self.best_metric in BEST_METRICS, 'best_metric', f'one of {BEST_METRICS}')
    patience_ok = self.early_stop_patience is None or self.early_stop_patience >= 1
    checks.require(patience_ok, 'early_stop_patience', 'at least 1')
    checks.require(self.early_stop_min_delta >= 0, 'early_stop_min_delta', 'at least 0')
    checks.require(self.alarm_steps >= 0, 'alarm_steps', 'at least 0')
    checks.raise_all()

  @classmethod
  def default_epochs(cls, num_examples: int, batch_size: int) -> float:
    """Default number of epochs: more for small data sets, to make at least FEWEST_STEPS steps."""
    return max(cls.epochs, float(math.ceil(FEWEST_STEPS * batch_size / num_examples)))

  def total_steps(self, num_examples: int) -> int:
    """The global step at which training ends."""
    if self.max_steps is not None:
      return self.max_steps
    return max(1, math.ceil(self.epochs * num_examples / self.batch_size))
