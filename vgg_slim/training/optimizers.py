"""Update rules by name."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from vgg_slim.compat import tf
from vgg_slim.configs.optimizer import OptimizerConfig


class OwnZeros:
  """Mixed into an optimizer of `tf.train`: its slots start in memory of their own.

  `tf.zeros` becomes one constant with the graph, which a slot shares until its first update copies
  it and which stays: 553 MB of the peak memory of VGG16.
  """

  def _zeros_slot(self, var: tf.Variable, slot_name: str, op_name: str) -> tf.Variable:
    return self._get_or_make_slot_with_initializer(
      var, _fresh_zeros, var.shape, var.dtype.base_dtype, slot_name, op_name
    )


def _fresh_zeros(
  shape: tf.TensorShape, dtype: tf.DType, partition_info: object | None = None
) -> tf.Tensor:
  return tf.raw_ops.Empty(shape=shape, dtype=dtype, init=True)


class AppliesSums:
  """Mixed into an optimizer of `tf.train`, whose update else sums the gradients of all replicas.

  Attributes:
    takes_sums: whether every replica gives the sums already, as clipping needs them: a second
      exchange would be 553 MB a step for VGG16.
  """

  takes_sums = False

  def _distributed_apply(
    self,
    distribution: tf.distribute.Strategy,
    grads_and_vars: Sequence[tuple[tf.Tensor, tf.Variable]],
    global_step: tf.Variable | None = None,
    name: str | None = None,
  ) -> tf.Operation:
    if self.takes_sums:
      distribution = _without_exchange(distribution)
    return super()._distributed_apply(distribution, grads_and_vars, global_step, name)


class _StandIn:
  """Has the attributes of `original` and, before these, those that it is given."""

  def __init__(self, original: Any, **attributes: Any) -> None:
    self._original = original
    vars(self).update(attributes)

  def __getattr__(self, name: str) -> Any:
    return getattr(self._original, name)


def _without_exchange(strategy: tf.distribute.Strategy) -> Any:
  """The strategy, for values that every replica has the sum of."""

  def batch_reduce_to(
    operation: tf.distribute.ReduceOp, pairs: Sequence[tuple[tf.Tensor, tf.Variable]]
  ) -> list[tf.Tensor]:
    return [value for value, _ in pairs]

  return _StandIn(strategy, extended=_StandIn(strategy.extended, batch_reduce_to=batch_reduce_to))


class GradientDescent(AppliesSums, tf.train.GradientDescentOptimizer):
  """`tf.train.GradientDescentOptimizer`."""


class Momentum(AppliesSums, OwnZeros, tf.train.MomentumOptimizer):
  """`tf.train.MomentumOptimizer`."""


class Adam(AppliesSums, OwnZeros, tf.train.AdamOptimizer):
  """`tf.train.AdamOptimizer`."""


class RMSProp(AppliesSums, OwnZeros, tf.train.RMSPropOptimizer):
  """`tf.train.RMSPropOptimizer`."""


class AdamW(Adam):
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
  optimizer = _OPTIMIZERS[config.optimizer](config, learning_rate, decayed)
  optimizer.takes_sums = config.clip_gradient_norm is not None  # see `gradients.clip`
  return optimizer


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
  'momentum': lambda config, rate, decayed: Momentum(
    rate, config.momentum, use_nesterov=config.nesterov
  ),
  'sgd': lambda config, rate, decayed: GradientDescent(rate),
  'adam': lambda config, rate, decayed: Adam(rate, **_adam_settings(config)),
  'adamw': lambda config, rate, decayed: AdamW(
    rate, config.weight_decay, decayed, **_adam_settings(config)
  ),
  'rmsprop': lambda config, rate, decayed: RMSProp(
    rate, config.rmsprop_decay, config.momentum, config.opt_epsilon
  ),
}
