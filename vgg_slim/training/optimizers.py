"""Optimizers by name."""

from collections.abc import Callable, Sequence
from typing import Any

from vgg_slim.compat import tf
from vgg_slim.configs.optimizer import OptimizerConfig
from vgg_slim.ops import blockwise
from vgg_slim.ops.scopes import plain_name


class FreshSlotsMixin:
  """Gives each slot of an optimizer of `tf.train` memory of its own from the start.

  Grappler turns the usual `tf.zeros` into a constant of the graph. A slot shares it until the first
  update copies it, and the constant stays: 553 MB of the peak memory of VGG16.
  """

  def _zeros_slot(self, var: tf.Variable, slot_name: str, op_name: str) -> tf.Variable:
    return self._get_or_make_slot_with_initializer(  # type: ignore[attr-defined]  # of tf.train
      var, _fresh_zeros, var.shape, var.dtype.base_dtype, slot_name, op_name
    )


def _fresh_zeros(
  shape: tf.TensorShape, dtype: tf.DType, partition_info: object | None = None
) -> tf.Tensor:
  return tf.raw_ops.Empty(shape=shape, dtype=dtype, init=True)


class SummedGradientsMixin:
  """Lets an optimizer of `tf.train` apply gradients that are already summed over the replicas.

  Attributes:
    gradients_are_summed: whether every replica passes the sums, as after clipping. Summing them
      again would exchange another 553 MB per step for VGG16.
  """

  gradients_are_summed = False

  def _distributed_apply(
    self,
    distribution: tf.distribute.Strategy,
    grads_and_vars: Sequence[tuple[tf.Tensor, tf.Variable]],
    global_step: tf.Variable | None = None,
    name: str | None = None,
  ) -> tf.Operation:
    if self.gradients_are_summed:
      distribution = _without_exchange(distribution)
    return super()._distributed_apply(  # type: ignore[misc]  # of tf.train.Optimizer
      distribution, grads_and_vars, global_step, name
    )


class _StandIn:
  """Proxy of `original` with some attributes replaced."""

  def __init__(self, original: Any, **attributes: Any) -> None:
    self._original = original
    vars(self).update(attributes)

  def __getattr__(self, name: str) -> Any:
    return getattr(self._original, name)


def _without_exchange(strategy: tf.distribute.Strategy) -> Any:
  """The strategy, but with a reduction that returns its input: each replica has the sums."""

  def batch_reduce_to(
    operation: tf.distribute.ReduceOp, pairs: Sequence[tuple[tf.Tensor, tf.Variable]]
  ) -> list[tf.Tensor]:
    return [value for value, _ in pairs]

  return _StandIn(strategy, extended=_StandIn(strategy.extended, batch_reduce_to=batch_reduce_to))


class GradientDescent(SummedGradientsMixin, tf.train.GradientDescentOptimizer):
  """`tf.train.GradientDescentOptimizer`."""


class Momentum(SummedGradientsMixin, FreshSlotsMixin, tf.train.MomentumOptimizer):
  """`tf.train.MomentumOptimizer`, which can add the gradient of weight decay to the momentum."""

  _share, _decayed = 0.0, frozenset[str]()

  def decay(self, factor: float, variables: Sequence[tf.Variable]) -> None:
    """Decays `variables` as if their gradients contained that of factor * sum(v**2) / 2.

    momentum * (m + factor / momentum * v) + gradient is the same sum, and has no gradient of the
    decay to be written and read again: see docs/decisions/0098.
    """
    self._share = factor / self._momentum
    self._decayed = frozenset(plain_name(variable) for variable in variables)

  def _resource_apply_dense(self, grad: tf.Tensor, var: tf.Variable) -> tf.Operation:
    factors = blockwise.find(grad)
    if factors and not self._use_nesterov:
      return self._apply_rows(factors, var)
    decay = []
    if plain_name(var) in self._decayed:
      velocity = self.get_slot(var, 'momentum')
      share = tf.constant(-self._share, velocity.dtype.base_dtype)
      decay.append(
        tf.raw_ops.ResourceApplyGradientDescent(
          var=velocity.handle, alpha=share, delta=var.read_value()
        )
      )
    with tf.control_dependencies(decay):
      return super()._resource_apply_dense(grad, var)

  def _apply_rows(self, gradient: blockwise.KernelGradient, var: tf.Variable) -> tf.Operation:
    """The same update, with the same roundings, without the gradient as a whole."""
    share = self._share if plain_name(var) in self._decayed else 0.0
    rate = tf.cast(self._learning_rate_tensor, tf.float32)
    momentum = tf.cast(self._momentum_tensor, tf.float32)

    def update(rows: blockwise.Rows) -> tuple[tf.Tensor, tf.Tensor]:
      weights, velocity = rows.values
      if share:
        velocity -= weights * -share
      velocity = velocity * momentum + rows.gradient
      return weights - velocity * rate, velocity

    return blockwise.update_rows(gradient, [var, self.get_slot(var, 'momentum')], update)


class Adam(SummedGradientsMixin, FreshSlotsMixin, tf.train.AdamOptimizer):
  """`tf.train.AdamOptimizer`."""


class RMSProp(SummedGradientsMixin, FreshSlotsMixin, tf.train.RMSPropOptimizer):
  """`tf.train.RMSPropOptimizer` with a mean of squares that starts at 0, as in Keras and torch.

  `tf.train` starts it at 1, which small gradients take hundreds of steps to forget: 50 steps at a
  gradient of 1e-3 go 0.25 learning rates instead of 59.
  """

  def _create_slots(self, var_list: Sequence[tf.Variable]) -> None:
    for variable in var_list:
      for slot in ('rms', 'momentum'):
        self._zeros_slot(variable, slot, self._name)


class AdamW(Adam):
  """Adam with decoupled weight decay (Loshchilov & Hutter, arXiv:1711.05101)."""

  def __init__(
    self, learning_rate: tf.Tensor, weight_decay: float, decayed: Sequence[tf.Variable], **adam
  ):
    """Like Adam; each update first multiplies `decayed` variables by 1 - rate * weight_decay."""
    super().__init__(learning_rate, **adam)
    self._shrinkage = learning_rate * weight_decay
    self._decayed = {plain_name(variable) for variable in decayed}

  def _apply_dense(self, grad: tf.Tensor, var: tf.Variable) -> tf.Operation:
    with tf.control_dependencies(self._shrink(var)):
      return super()._apply_dense(grad, var)

  def _resource_apply_dense(self, grad: tf.Tensor, var: tf.Variable) -> tf.Operation:
    with tf.control_dependencies(self._shrink(var)):
      return super()._resource_apply_dense(grad, var)

  def _shrink(self, variable: tf.Variable) -> list[tf.Operation]:
    if plain_name(variable) not in self._decayed:
      return []
    return [variable.assign_sub(self._shrinkage * variable).op]


def build_optimizer(
  config: OptimizerConfig, learning_rate: tf.Tensor, decayed: Sequence[tf.Variable]
) -> tf.train.Optimizer:
  """The optimizer of `config.optimizer`.

  Args:
    config: config of the optimizer.
    learning_rate: learning rate, float32 [].
    decayed: variables that the update decays if it `decays_in_update`.
  """
  optimizer = BUILDERS[config.optimizer](config, learning_rate, decayed)
  if config.folds_decay:
    optimizer.decay(config.weight_decay, decayed)
  optimizer.gradients_are_summed = config.clip_gradient_norm is not None  # see `gradients.clip`
  return optimizer


def scale_loss(optimizer: tf.train.Optimizer) -> tf.train.Optimizer:
  """Keeps small gradients from vanishing in float16 (Micikevicius et al., arXiv:1710.03740).

  The loss is multiplied by a scale, and the gradients are divided by it. The scale starts at 2**15
  and doubles after 2000 steps without overflow. When a gradient overflows, the scale is halved and
  the update is skipped.
  """
  return tf.mixed_precision.MixedPrecisionLossScaleOptimizer(optimizer, 'dynamic')


def _adam_settings(config: OptimizerConfig) -> dict[str, float]:
  return {
    'beta1': config.adam_beta1,
    'beta2': config.adam_beta2,
    'epsilon': config.opt_epsilon,
  }


# The builder of each row of `configs.optimizer.OPTIMIZERS`.
BUILDERS: dict[str, Callable[..., tf.train.Optimizer]] = {
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
