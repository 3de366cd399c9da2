"""Learning rate, its schedule, and what it is the rate of."""

import dataclasses

from vgg_slim.configs.checks import Checks

DECAY_TYPES = ('fixed', 'exponential')


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
  """Momentum SGD with staircase exponential decay; weight decay as in the paper, 3.1.

  Attributes:
    weight_decay: multiplies sum(w**2) / 2 of the weights; biases and batch norm are left out.
    epochs_per_decay: epochs between two multiplications by `learning_rate_decay_factor`.
  """

  learning_rate: float = 0.004
  learning_rate_decay_type: str = 'exponential'
  learning_rate_decay_factor: float = 0.1
  epochs_per_decay: float = 8.0
  momentum: float = 0.9
  weight_decay: float = 5e-4

  def __post_init__(self):
    checks = Checks(self)
    checks.require(self.learning_rate > 0, 'learning_rate', 'positive')
    decay_ok = self.learning_rate_decay_type in DECAY_TYPES
    checks.require(decay_ok, 'learning_rate_decay_type', f'one of {DECAY_TYPES}')
    factor_ok = 0 < self.learning_rate_decay_factor <= 1
    checks.require(factor_ok, 'learning_rate_decay_factor', 'in (0, 1]')
    checks.require(self.epochs_per_decay > 0, 'epochs_per_decay', 'positive')
    checks.require(0 <= self.momentum < 1, 'momentum', 'in [0, 1)')
    checks.require(self.weight_decay >= 0, 'weight_decay', 'at least 0')
    checks.raise_all()
