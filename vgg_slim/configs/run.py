"""The length and the rhythm of a run."""

import dataclasses
import math

from vgg_slim.configs.checks import Checks
from vgg_slim.configs.fields import FREE, REFUSED, free, resets, setting

FEWEST_STEPS = 600  # of a run whose length nobody gave: about those of the digits recipe
BEST_METRICS = ('accuracy', 'loss')

_LENGTH = free(
  'the run ends there, and with it polynomial, cosine and one_cycle without schedule_epochs'
)
_OLDER = free('older checkpoints are removed when the next one is saved')
_BEST = free('the best epoch is looked for from the next validation on')
_BETTER = resets(
  *('best', 'early_stop', 'plateau'),
  follows='epochs are compared by it from this step on',
)


@dataclasses.dataclass(frozen=True)
class RunConfig:
  """How long, how often, from which seed.

  Attributes:
    epochs: passes over the training split; ignored when `max_steps` is given.
    max_steps: last global step, or None.
    log_every_steps: steps between two progress lines and scalar summaries.
    save_every_steps: steps between two checkpoints, besides the one after every epoch.
    image_summary_every_steps: steps between two picture summaries; 0 for none, of validation too.
    histogram_every_steps: steps between two of weights, gradients and activations; 0 for none.
    profile_steps: first and last step whose operations are timed; empty for none.
    keep_checkpoints: how many checkpoints are kept.
    keep_best: whether the checkpoint of the best epoch is kept besides, in `best/`.
    best_metric: one of BEST_METRICS: which validation is better; also of early end and plateau.
    early_stop_patience: epochs without a better one after which the run ends; None for never.
    early_stop_min_delta: by how much an epoch has to be better.
    alarm_steps: for how many steps a loss may stay at chance, and steps between two looks for dead
      units, before a line says so; 0 for no such alarms.
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
  best_metric: str = setting('accuracy', resume=_BETTER)
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
    """Epochs of a run whose length nobody gave: more over small sets, for FEWEST_STEPS at least."""
    return max(cls.epochs, float(math.ceil(FEWEST_STEPS * batch_size / num_examples)))

  def total_steps(self, num_examples: int) -> int:
    """The global step at which training ends."""
    if self.max_steps is not None:
      return self.max_steps
    return max(1, math.ceil(self.epochs * num_examples / self.batch_size))
