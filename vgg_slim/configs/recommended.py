"""Settings of a new run that depend on its network, its optimizer, its start and its data set.

This is the only module that chooses them, and it chooses nothing that a flag gives. What it chose
is written to `config.json`, so that a resumed run does not depend on this module. Decision 95 has
the measurements.
"""

import dataclasses
import math
from collections.abc import Collection
from typing import NamedTuple

from vgg_slim.configs.run import RunConfig
from vgg_slim.configs.schedule import SCHEDULES, ScheduleConfig

# Fewest steps of a run without --epochs and --max_steps.
FEWEST_STEPS = 600
SCHEDULE = 'cosine'
# Settings that the default of `ScheduleConfig` reads, and SCHEDULE does not.
OWN_SETTINGS = frozenset(SCHEDULES[ScheduleConfig.learning_rate_decay_type].settings)
# Steps of the warm-up of a long run, and the largest share of it in a short one.
WARMUP_STEPS = 100
_WARMUP_SHARE = 0.1
# Fewest steps between two validations, each of which writes a checkpoint of the whole network.
STEPS_PER_VALIDATION = 40


class _Rates(NamedTuple):
  """Learning rates of an optimizer at the end of the warm-up.

  Attributes:
    plain: for a whole network without batch norm, from initial values.
    batch_norm: the same with batch norm.
    trained: for a network that starts from trained weights, also if only its head is trained.
  """

  plain: float
  batch_norm: float
  trained: float


_RATES = {
  'momentum': _Rates(1e-2, 3e-3, 1e-4),
  'sgd': _Rates(1e-1, 3e-2, 1e-3),
  'adam': _Rates(1e-4, 3e-4, 1e-5),
  'adamw': _Rates(1e-4, 3e-4, 1e-5),
  'rmsprop': _Rates(1e-4, 3e-4, 1e-5),
}


@dataclasses.dataclass(frozen=True)
class Situation:
  """What the settings depend on.

  Attributes:
    optimizer: name of the optimizer.
    has_batch_norm: whether batch norm follows the convolutions.
    is_trained: whether the run starts from trained weights.
    num_examples: number of training images; None if there is no training split.
    batch_size: number of images per step.
  """

  optimizer: str
  has_batch_norm: bool = False
  is_trained: bool = False
  num_examples: int | None = None
  batch_size: int = RunConfig.batch_size

  def learning_rate(self) -> float:
    """The learning rate at the end of the warm-up."""
    rates = _RATES[self.optimizer]
    if self.is_trained:
      return rates.trained
    return rates.batch_norm if self.has_batch_norm else rates.plain

  def epochs(self) -> float:
    """The length of the run: 14 epochs, or as many as FEWEST_STEPS steps take."""
    if not self.num_examples:
      return RunConfig.epochs
    return max(
      RunConfig.epochs, float(math.ceil(FEWEST_STEPS * self.batch_size / self.num_examples))
    )

  def warmup_epochs(self, epochs: float | None, max_steps: int | None) -> float:
    """The length of the warm-up of a run that ends after `max_steps` or else after `epochs`."""
    if not self.num_examples:
      return 0.0
    per_epoch = self.num_examples / self.batch_size
    total = max_steps or (epochs or self.epochs()) * per_epoch
    # To four digits, which is to the step: an epoch of ImageNet has 40,000 of them.
    return float(f'{min(WARMUP_STEPS, total * _WARMUP_SHARE) / per_epoch:.4g}')

  def validate_every_epochs(self) -> int:
    """The number of epochs between two validations of a run of the recommended length."""
    if not self.num_examples:
      return 1
    return max(1, math.floor(STEPS_PER_VALIDATION * self.batch_size / self.num_examples))


def schedule(given: Collection[str]) -> str:
  """The schedule that fits the settings that are given, by name."""
  return SCHEDULE if OWN_SETTINGS.isdisjoint(given) else ScheduleConfig.learning_rate_decay_type
