"""What is made small, and by which rule."""

import dataclasses

from vgg_slim.configs.checks import Checks
from vgg_slim.configs.fields import FREE, REFUSED, free, free_within, setting
from vgg_slim.configs.schedule import ScheduleConfig

OPTIMIZERS = ('momentum', 'sgd', 'adam', 'adamw', 'rmsprop')
DECAYED = ('weights', 'biases', 'batch_norm')

_MASKS = free('dropout draws other masks from this step on')
_WITHIN_AVERAGES = free_within(
  lambda decay: decay is None,
  'the averages are kept in the checkpoint, so that they cannot be switched on or off',
)


@dataclasses.dataclass(frozen=True)
class OptimizerConfig(ScheduleConfig):
  """Update rule, weight decay and loss; by default momentum SGD as in the paper, 3.1.

  Attributes:
    optimizer: one of OPTIMIZERS.
    momentum: of 'momentum' and 'rmsprop'.
    nesterov: whether 'momentum' looks ahead.
    adam_beta1: decay of the mean of gradients, also of 'adamw'.
    adam_beta2: decay of the mean of their squares.
    rmsprop_decay: decay of the mean of squares.
    opt_epsilon: below a root of 'adam', 'adamw' and 'rmsprop'.
    weight_decay: multiplies sum(w**2) / 2 in the loss; for 'adamw', w itself beside the gradient.
    weight_decay_on: of DECAYED: kernels; biases; batch norm's scale and shift.
    clip_gradient_norm: the global norm above which gradients are scaled down; None for no limit.
    gradient_accumulation_steps: parts in which a batch passes through the network.
    label_smoothing: share of the target that is spread over all classes.
    moving_average_decay: of averages of all variables, kept beside them; None for none.
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
