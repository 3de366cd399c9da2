"""Settings of the loss and of the update rule."""

import dataclasses
import functools
from typing import NamedTuple

from vgg_slim.configs.allowed import at_least, between, one_of, positive, some_of, weights
from vgg_slim.configs.fields import FREE, REFUSED, free, free_within, setting
from vgg_slim.configs.kinds import users
from vgg_slim.configs.schedule import ScheduleConfig


class Optimizer(NamedTuple):
  """An optimizer, which `training.optimizers` builds by the same name.

  Attributes:
    num_slots: number of variables that it stores for each trainable variable.
    settings: names of the settings that its update rule reads.
    momentum: default of the setting `momentum`.
  """

  num_slots: int
  settings: tuple[str, ...] = ()
  momentum: float = 0.9

  @property
  def decays_weights(self) -> bool:
    """Whether the update itself decays the weights; otherwise the loss contains the decay."""
    return 'weight_decay' in self.settings


_ADAM = ('adam_beta1', 'adam_beta2', 'opt_epsilon')
OPTIMIZERS = {
  'momentum': Optimizer(1, ('momentum', 'nesterov')),
  'sgd': Optimizer(0),
  'adam': Optimizer(2, _ADAM),
  'adamw': Optimizer(2, (*_ADAM, 'weight_decay')),
  # Plain RMSProp as in Keras and torch, where `tf.train` and slim's scripts add a momentum of 0.9.
  'rmsprop': Optimizer(2, ('momentum', 'rmsprop_decay', 'opt_epsilon'), momentum=0.0),
}
DECAYED = ('weights', 'biases', 'batch_norm')

_MASKS = free('dropout draws different masks from this step on')
_WITHIN_AVERAGES = free_within(
  lambda decay: decay is None,
  'the averages are stored in the checkpoint, so they cannot be switched on or off',
)
_setting = functools.partial(setting, heading='Optimizer and loss')


def _users(name: str) -> str:
  return users(OPTIMIZERS, name)


@dataclasses.dataclass(frozen=True)
class OptimizerConfig(ScheduleConfig):
  """Update rule, weight decay and loss; the default is momentum SGD as in the paper, 3.1."""

  optimizer: str = _setting(
    'momentum', help='Optimizer.', allowed=one_of(OPTIMIZERS), resume=REFUSED
  )
  momentum: float | None = _setting(
    None,
    help=f'Momentum of the {_users("momentum")} rules, in [0, 1). Defaults to '
    f'{OPTIMIZERS["momentum"].momentum:g}, and for rmsprop to {OPTIMIZERS["rmsprop"].momentum:g}.',
    allowed=between('[0, 1)'),
    resume=FREE,
  )
  nesterov: bool = _setting(False, help='Use Nesterov momentum.', resume=FREE)
  adam_beta1: float = _setting(
    0.9,
    help=f'Decay of the moving average of gradients in {_users("adam_beta1")}.',
    allowed=between('[0, 1)'),
    resume=FREE,
  )
  adam_beta2: float = _setting(
    0.999,
    help=f'Decay of the moving average of squared gradients in {_users("adam_beta2")}.',
    allowed=between('[0, 1)'),
    resume=FREE,
  )
  rmsprop_decay: float = _setting(
    0.9,
    help=f'Decay of the moving average of squared gradients in {_users("rmsprop_decay")}.',
    allowed=between('[0, 1)'),
    resume=FREE,
  )
  opt_epsilon: float = _setting(
    1e-8,
    help=f'Small constant that keeps {_users("opt_epsilon")} from dividing by 0.',
    allowed=positive(),
    resume=FREE,
  )
  weight_decay: float = _setting(
    5e-4,
    help='Factor of half the sum of squared weights in the loss; in '
    f'{_users("weight_decay")} the decay is decoupled from the gradient.',
    allowed=at_least(0),
    resume=FREE,
  )
  weight_decay_on: tuple[str, ...] = _setting(
    ('weights',),
    help='Comma-separated kinds of variables to decay: weights, biases, batch_norm (its scale and '
    'shift, which are usually better not decayed).',
    allowed=some_of(DECAYED),
    resume=FREE,
  )
  clip_gradient_norm: float | None = _setting(
    None,
    help='Largest global norm of the gradients, which are scaled down to it. By default not '
    'limited.',
    allowed=positive(),
    resume=FREE,
  )
  gradient_accumulation_steps: int = _setting(
    1,
    help='Number of micro-batches that each batch is divided into, for batches that do not fit '
    'into memory. The step is the same as with the whole batch, except that batch norm uses the '
    'statistics of each micro-batch.',
    allowed=at_least(1),
    resume=_MASKS,
  )
  label_smoothing: float = _setting(
    0.0,
    help='Fraction of the target probability that is distributed evenly over all classes, usually '
    '0.1; 0 disables label smoothing.',
    allowed=between('[0, 1)'),
    resume=FREE,
  )
  class_weights: tuple[float, ...] = _setting(
    (),
    help='Weight of each class in the training loss, in the order of the labels: the cross-entropy '
    'of an image is multiplied by that of its label before the mean over the batch. Their mean '
    'over the training images is 1. Empty if all images weigh the same.',
    allowed=weights(),
    resume=FREE,
    has_flag=False,
  )
  moving_average_decay: float | None = _setting(
    None,
    help='Decay, such as 0.999, of moving averages of all variables, which validation then uses. '
    'By default there are none.',
    allowed=between('(0, 1)'),
    resume=_WITHIN_AVERAGES,
  )

  def __post_init__(self) -> None:
    if self.momentum is None and self.optimizer in OPTIMIZERS:
      object.__setattr__(self, 'momentum', OPTIMIZERS[self.optimizer].momentum)
    super().__post_init__()

  @property
  def folds_decay(self) -> bool:
    """Whether the update adds the gradient of weight decay, so that gradients are without it.

    Clipping needs the norm of the complete gradient, and Nesterov's rule the gradient itself.
    """
    return self._is_plain_momentum and bool(self.momentum)

  @property
  def updates_in_blocks(self) -> bool:
    """Whether the update can apply a gradient block by block, without holding it as a whole."""
    return self._is_plain_momentum and (self.folds_decay or not self.weight_decay)

  @property
  def _is_plain_momentum(self) -> bool:
    return self.optimizer == 'momentum' and not self.nesterov and self.clip_gradient_norm is None
