"""Settings of the loss and of the update rule."""

import dataclasses

from vgg_slim.configs.checks import Checks
from vgg_slim.configs.fields import FREE, REFUSED, free, free_within, setting
from vgg_slim.configs.schedule import ScheduleConfig

OPTIMIZERS = ('momentum', 'sgd', 'adam', 'adamw', 'rmsprop')
DECAYED = ('weights', 'biases', 'batch_norm')

_MASKS = free('dropout draws different masks from this step on')
_WITHIN_AVERAGES = free_within(
  lambda decay: decay is None,
  'the averages are stored in the checkpoint, so they cannot be switched on or off',
)


@dataclasses.dataclass(frozen=True)
class OptimizerConfig(ScheduleConfig):
  """Update rule, weight decay and loss; the default is momentum SGD as in the paper, 3.1.

  Attributes:
    optimizer: One of OPTIMIZERS.
    momentum: Momentum of 'momentum' and 'rmsprop', in [0, 1).
    nesterov: Whether 'momentum' uses Nesterov's variant.
    adam_beta1: Decay of the mean gradient, for 'adam' and 'adamw'.
    adam_beta2: Decay of the mean squared gradient, for 'adam' and 'adamw'.
    rmsprop_decay: Decay of the mean squared gradient, for 'rmsprop'.
    opt_epsilon: Small constant added to the denominator of 'adam', 'adamw' and 'rmsprop', for
      numerical stability.
    weight_decay: Factor of sum(w**2) / 2 in the loss; for 'adamw' the factor of w in the update,
      apart from the gradient.
    weight_decay_on: Kinds of variables to decay, out of DECAYED: kernels, biases, and batch norm's
      scale and shift.
    clip_gradient_norm: Global norm above which gradients are scaled down; None for no limit.
    gradient_accumulation_steps: Number of micro-batches that each batch is split into.
    label_smoothing: Share of the target distribution that is spread evenly over all classes.
    moving_average_decay: Decay of moving averages of all variables, stored next to them; None to
      keep no averages.
  """

  optimizer: str = setting('momentum', resume=REFUSED)
  momentum: float = setting(0.9, resume=FREE)
  nesterov: bool = setting(False, resume=FREE)
  adam_beta1: float = setting(0.9, resume=FREE)
  adam_beta2: float = setting(0.999, resume=FREE)
  rmsprop_decay: float = setting(0.9, resume=FREE)
  opt_epsilon: float = setting(1e-8, resume=FREE)
  weight_decay: float = setting(5e-4, resume=FREE)
  weight_decay_on: tuple[str, ...] = setting(('weights',), resume=FREE)
  clip_gradient_norm: float | None = setting(None, resume=FREE)
  gradient_accumulation_steps: int = setting(1, resume=_MASKS)
  label_smoothing: float = setting(0.0, resume=FREE)
  moving_average_decay: float | None = setting(None, resume=_WITHIN_AVERAGES)

  def __post_init__(self):
    object.__setattr__(self, 'weight_decay_on', tuple(self.weight_decay_on))
    super().__post_init__()

  def _check(self, checks: Checks) -> None:
    super()._check(checks)
    checks.require(self.optimizer in OPTIMIZERS, 'optimizer', f'one of {OPTIMIZERS}')
    for name in ('momentum', 'adam_beta1', 'adam_beta2', 'rmsprop_decay', 'label_smoothing'):
      checks.require(0 <= getattr(self, name) < 1, name, 'in [0, 1)')
    checks.require(self.opt_epsilon > 0, 'opt_epsilon', 'positive')
    checks.require(self.weight_decay >= 0, 'weight_decay', 'at least 0')
    kinds_ok = set(self.weight_decay_on) <= set(DECAYED)
    checks.require(kinds_ok, 'weight_decay_on', f'some of {DECAYED}')
    clip_ok = self.clip_gradient_norm is None or self.clip_gradient_norm > 0
    checks.require(clip_ok, 'clip_gradient_norm', 'positive')
    parts_ok = self.gradient_accumulation_steps >= 1
    checks.require(parts_ok, 'gradient_accumulation_steps', 'at least 1')
    average_ok = self.moving_average_decay is None or 0 < self.moving_average_decay < 1
    checks.require(average_ok, 'moving_average_decay', 'in (0, 1)')
