"""Update rules by name."""

import re
from collections.abc import Callable, Sequence

from vgg_slim.compat import tf
from vgg_slim.configs.optimizer import OptimizerConfig


class AdamW(tf.train.AdamOptimizer):
  """Adam with weight decay beside the gradient (Loshchilov & Hutter, arXiv:1711.05101)."""

  def __init__(
    self, learning_rate: tf.Tensor, weight_decay: float, decayed: Sequence[tf.Variable], **adam
  ):
    """Like Adam; before each update, `decayed` variables shrink by rate * weight_decay."""
    super().__init__(learning_rate, **adam)
    self._shrinkage = learning_rate * weight_decay
    self._decayed = {_plain_name(variable) for variable in decayed}

  def _apply_dense(self, grad: tf.Tensor, var: tf.Variable) -> tf.Operation:
    with tf.control_dependencies(self._shrink(var)):
      return super()._apply_dense(grad, var)

  def _resource_apply_dense(self, grad: tf.Tensor, var: tf.Variable) -> tf.Operation:
    with tf.control_dependencies(self._shrink(var)):
      return super()._resource_apply_dense(grad, var)

  def _shrink(self, variable: tf.Variable) -> list[tf.Operation]:
    if _plain_name(variable) not in self._decayed:
      return []
    return [variable.assign_sub(self._shrinkage * variable).op]


def _plain_name(variable: tf.Variable) -> str:
  """Without what tells a replica's copy of the variable from the first."""
  return re.sub(r'/replica_\d+$', '', variable.op.name)


def build_optimizer(
  config: OptimizerConfig, learning_rate: tf.Tensor, decayed: Sequence[tf.Variable]
) -> tf.train.Optimizer:
  """The optimizer of `config.optimizer`.

  Args:
    config: see `OptimizerConfig`.
    learning_rate: float32 [].
    decayed: the variables that 'adamw' decays; the other rules find weight decay in the loss.
  """
  return _OPTIMIZERS[config.optimizer](config, learning_rate, decayed)


def scale_loss(optimizer: tf.train.Optimizer) -> tf.train.Optimizer:
  """Keeps small gradients from vanishing in float16 (Micikevicius et al., arXiv:1710.03740).

  The loss is multiplied by a scale and the gradients divided by it. The scale starts at 2**15,
  doubles after 2000 good steps, and is halved, and the update left out, where a gradient overflows.
  """
  return tf.mixed_precision.MixedPrecisionLossScaleOptimizer(optimizer, 'dynamic')


def _adam_settings(config: OptimizerConfig) -> dict[str, float]:
  return {
    'beta1': config.adam_beta1,
    'beta2': config.adam_beta2,
    'epsilon': config.opt_epsilon,
  }


_OPTIMIZERS: dict[str, Callable[..., tf.train.Optimizer]] = {
  'momentum': lambda config, rate, decayed: tf.train.MomentumOptimizer(
    rate, config.momentum, use_nesterov=config.nesterov
  ),
  'sgd': lambda config, rate, decayed: tf.train.GradientDescentOptimizer(rate),
  'adam': lambda config, rate, decayed: tf.train.AdamOptimizer(rate, **_adam_settings(config)),
  'adamw': lambda config, rate, decayed: AdamW(
    rate, config.weight_decay, decayed, **_adam_settings(config)
  ),
  'rmsprop': lambda config, rate, decayed: tf.train.RMSPropOptimizer(
    rate, config.rmsprop_decay, config.momentum, config.opt_epsilon
  ),
}
