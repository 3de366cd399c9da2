"""The tf-slim layers that tf-slim lacks, or has at a price."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from vgg_slim.compat import slim, tf
from vgg_slim.constants import POOL_ROUNDINGS
from vgg_slim.ops import cached_weights, winograd
from vgg_slim.ops.cross_replica import cross_replica_mean
from vgg_slim.ops.layers import DropoutSeed, dropout_op, mpool_op, sliding_fc
from vgg_slim.ops.scopes import is_under


@slim.add_arg_scope
def conv2d(
  inputs: tf.Tensor,
  num_outputs: int,
  kernel_size: int,
  stride: int = 1,
  padding: str = 'SAME',
  activation_fn: Callable | None = tf.nn.relu,
  weights_initializer: Callable | None = None,
  weights_regularizer: Callable | None = None,
  biases_initializer: Callable | None = tf.zeros_initializer,
  normalizer_fn: Callable | None = None,
  normalizer_params: dict[str, Any] | None = None,
  fold_fn: Callable | None = None,
  cache_dtype: tf.DType | None = None,
  fast_cpu_conv: bool = False,
  scope: str | None = None,
) -> tf.Tensor:
  """`slim.conv2d` with its variables and values, built faster, and run faster where that can be.

  Args:
    inputs: float32 [N, H, W, C].
    num_outputs: output channels.
    kernel_size: side of the window, in pixels.
    stride: in pixels.
    padding: 'SAME' or 'VALID'.
    normalizer_fn: takes the place of the bias, as in `slim.conv2d`.
    normalizer_params: its arguments.
    fold_fn: maps the kernel to the kernel and the bias that give the normalized output; takes
      `normalizer_params` too. With `cache_dtype` it replaces `normalizer_fn`.
    cache_dtype: for graphs that never train: dtype in which kernel and bias are cached, see
      `cached_weights`; None to read the variables.
    fast_cpu_conv: whether to convolve by `winograd` where that is faster; for float32 sessions on
      CPUs.
    scope: variable scope.
  """
  with tf.variable_scope(scope, 'Conv', [inputs]):
    kernel = _weights(inputs, num_outputs, kernel_size, weights_initializer, weights_regularizer)
    normalize, bias, cached_kind = None, None, 'kernel'
    if fold_fn and cache_dtype:
      cached_kind = 'folded_kernel'
      kernel, shift = fold_fn(kernel, **normalizer_params or {})
      bias = cached_weights.cache(shift, 'folded_biases')
    elif normalizer_fn:
      normalize = functools.partial(normalizer_fn, **normalizer_params or {})
    else:
      bias = slim.model_variable('biases', [num_outputs], initializer=biases_initializer)

    if fast_cpu_conv and winograd.pays(inputs, kernel.shape.as_list(), stride, padding):
      if cache_dtype:
        transformed = cached_weights.cache(
          winograd.transform_kernel(kernel), f'winograd_{cached_kind}'
        )
        net = winograd.convolve_transformed(inputs, transformed)
      else:
        net = winograd.convolve(inputs, kernel)
    else:
      if cache_dtype and (fold_fn or cache_dtype != kernel.dtype):
        kernel = cached_weights.cache(kernel, cached_kind, cache_dtype)
      net = tf.nn.conv2d(inputs, kernel, strides=stride, padding=padding)
    net = normalize(net) if normalize else tf.nn.bias_add(net, bias)
    return net if activation_fn is None else activation_fn(net)


@slim.add_arg_scope
def sliding_fully_connected(
  inputs: tf.Tensor,
  num_outputs: int,
  kernel_size: int,
  activation_fn: Callable | None = tf.nn.relu,
  weights_initializer: Callable | None = None,
  weights_regularizer: Callable | None = None,
  biases_initializer: Callable | None = tf.zeros_initializer,
  normalizer_fn: Callable | None = None,
  cache_dtype: tf.DType | None = None,
  fast_cpu_conv: bool = False,
  scope: str | None = None,
) -> tf.Tensor:
  """`slim.conv2d(..., padding='VALID')` with its variables, run by `layers.sliding_fc`.

  Args:
    inputs: float32 [N, H, W, C].
    num_outputs: output units.
    kernel_size: side of the window.
    normalizer_fn: takes the place of the bias, as in `slim.conv2d`.
    cache_dtype: dtype in which the weights are cached, see `cached_weights`; None to read their
      variable.
    fast_cpu_conv: see `layers.sliding_fc`.
    scope: variable scope.

  Returns:
    float32 [N, H - kernel_size + 1, W - kernel_size + 1, num_outputs].
  """
  with tf.variable_scope(scope, 'fc', [inputs]):
    weights = _weights(inputs, num_outputs, kernel_size, weights_initializer, weights_regularizer)
    kernel = cached_weights.cache(weights, 'kernel', cache_dtype) if cache_dtype else weights
    net = sliding_fc(inputs, kernel, fast_cpu_conv)
    if normalizer_fn is None:
      biases = slim.model_variable('biases', [num_outputs], initializer=biases_initializer)
      net = tf.nn.bias_add(net, biases)
    else:
      net = normalizer_fn(net)
    return net if activation_fn is None else activation_fn(net)


def _weights(
  inputs: tf.Tensor,
  num_outputs: int,
  kernel_size: int,
  initializer: Callable | None,
  regularizer: Callable | None,
) -> tf.Variable:
  weights = slim.model_variable(
    'weights',
    [kernel_size, kernel_size, inputs.shape[-1], num_outputs],
    initializer=initializer or tf.glorot_uniform_initializer(),
  )
  # Not by model_variable: get_variable calls the regulariser twice and leaves one of the losses
  # outside of every scope in TensorBoard's graph.
  if regularizer and not tf.get_variable_scope().reuse:
    tf.add_to_collection(tf.GraphKeys.REGULARIZATION_LOSSES, regularizer(weights))
  return weights


# An update of batch norm's statistics counts 9 / (n + 9) after n others. Shamir and Zhang (2013),
# arXiv:1212.1824, call it polynomial-decay averaging. With 3 the validation of short runs was up to
# 5 points worse, see docs/decisions/0065-unbiased-batch-norm-statistics.md.
_UPDATES = 9.0


class _BatchNormVariables(NamedTuple):
  gamma: tf.Variable
  beta: tf.Variable
  mean: tf.Variable
  variance: tf.Variable


@slim.add_arg_scope
def batch_norm(
  inputs: tf.Tensor,
  decay: float = 0.997,
  epsilon: float = 1e-5,
  is_training: bool = False,
  trainable_scopes: Sequence[str] = (),
  biases: bool = False,
  cross_replica: bool = False,
  num_updates: tf.Tensor | None = None,
  scope: str = 'BatchNorm',
) -> tf.Tensor:
  """`slim.batch_norm(..., scale=True)`: same variables, values and UPDATE_OPS, built faster.

  tf-slim's goes through TensorFlow's layer classes, whose time grows with the square of the number
  of variables: the graph of a ResNet152 takes 18 s of one core with it and 7 s here.

  Args:
    inputs: float32 [N, H, W, C].
    decay: of the moving mean and variance, see `num_updates`.
    epsilon: added to the variance.
    is_training: whether to take the batch's statistics, and to leave the updates of the moving ones
      in UPDATE_OPS. The moving variance is that of N - 1 degrees of freedom.
    trainable_scopes: outside of these the layer is frozen: it uses its moving statistics and leaves
      them alone, in training too. Empty for all.
    biases: whether `inputs` lack the bias of their convolution, in the scope of the caller, which
      Keras's ResNets count and store. The batch's mean takes it away again, so that it is added to
      the moving mean alone, and has no gradient but that of weight decay.
    cross_replica: whether the batch's statistics are those of all replicas' pictures together.
    num_updates: int64 [], how often the moving statistics were updated before: update n + 1 decays
      them by n / (n + 9) where that is less than `decay`. The first one thus replaces the initial
      values, and early statistics, of weights that have changed since, are soon forgotten. None
      for `decay` throughout, as in tf-slim.
    scope: variable scope of beta, gamma, moving_mean and moving_variance.
  """
  channels = inputs.shape[-1]
  bias = _bias(channels) if biases else 0.0
  with tf.variable_scope(scope) as own_scope:
    gamma, beta, mean, variance = _batch_norm_variables(channels)
    is_frozen = trainable_scopes and not is_under(own_scope.name, trainable_scopes)
    if is_frozen or not is_training:
      return tf.nn.fused_batch_norm(
        inputs, gamma, beta, mean - bias, variance, epsilon=epsilon, is_training=False
      )[0]
    normalize = _cross_replica_batch_norm if cross_replica else tf.nn.fused_batch_norm
    net, batch_mean, batch_variance = normalize(inputs, gamma, beta, epsilon=epsilon)
    share = _share_of_an_update(decay, num_updates)
    for moving, value in ((mean, batch_mean + bias), (variance, batch_variance)):
      update = moving.assign_sub((moving - value) * share)
      tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, update)
    return net


def _share_of_an_update(decay: float, num_updates: tf.Tensor | None) -> float | tf.Tensor:
  """What a batch's statistics count in the moving ones."""
  if num_updates is None:
    return 1 - decay
  return tf.maximum(1 - decay, _UPDATES / (tf.cast(num_updates, tf.float32) + _UPDATES))


def fold_batch_norm(
  kernel: tf.Tensor, epsilon: float = 1e-5, biases: bool = False, scope: str = 'BatchNorm'
) -> tuple[tf.Tensor, tf.Tensor]:
  """The kernel and the bias that do what `kernel` and `batch_norm` outside of training do.

  Args:
    kernel: float32 [kh, kw, C, K].
    epsilon: see `batch_norm`, whose variables these are.
    biases: see `batch_norm`.
    scope: see `batch_norm`.

  Returns:
    float32 [kh, kw, C, K] and [K].
  """
  channels = kernel.shape[-1]
  bias = _bias(channels) if biases else 0.0
  with tf.variable_scope(scope):
    gamma, beta, mean, variance = _batch_norm_variables(channels)
    scale = gamma * tf.rsqrt(variance + epsilon)
    return kernel * scale, beta - (mean - bias) * scale


def _batch_norm_variables(channels: int) -> _BatchNormVariables:
  return _BatchNormVariables(
    slim.model_variable('gamma', [channels], initializer=tf.ones_initializer()),
    slim.model_variable('beta', [channels], initializer=tf.zeros_initializer()),
    _moving('moving_mean', [channels], tf.zeros_initializer()),
    _moving('moving_variance', [channels], tf.ones_initializer()),
  )


def _bias(channels: int) -> tf.Variable:
  return slim.model_variable('biases', [channels], initializer=tf.zeros_initializer())


def _cross_replica_batch_norm(
  inputs: tf.Tensor, gamma: tf.Variable, beta: tf.Variable, epsilon: float
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
  """`tf.nn.fused_batch_norm` over the pictures of all replicas; these have equal shares of them.

  In two passes: the mean of squares less the square of the mean loses the digits of a small spread.
  """
  mean = cross_replica_mean(tf.reduce_mean(inputs, [0, 1, 2]))
  variance = cross_replica_mean(tf.reduce_mean(tf.math.squared_difference(inputs, mean), [0, 1, 2]))
  net = tf.nn.batch_normalization(inputs, mean, variance, beta, gamma, epsilon)
  replicas = tf.distribute.get_strategy().num_replicas_in_sync
  count = tf.cast(tf.reduce_prod(tf.shape(inputs)[:3]) * replicas, variance.dtype)
  return net, mean, variance * (count / (count - 1))


def _moving(name: str, shape: list[int], initializer: Callable) -> tf.Variable:
  """Every replica moves its own copy; a checkpoint holds their mean."""
  return slim.model_variable(
    name,
    shape,
    initializer=initializer,
    trainable=False,
    synchronization=tf.VariableSynchronization.ON_READ,
    aggregation=tf.VariableAggregation.MEAN,
  )


@slim.add_arg_scope
def dropout(
  inputs: tf.Tensor,
  keep_prob: float,
  is_training: bool = False,
  seed: DropoutSeed | tf.Tensor | None = None,
  scope: str = 'dropout',
) -> tf.Tensor:
  """`layers.dropout_op` in training; `inputs` otherwise."""
  return dropout_op(inputs, scope, keep_prob, seed) if is_training else inputs


@slim.add_arg_scope
def max_pool(
  inputs: tf.Tensor, kernel: int, stride: int, scope: str, rounding: str = POOL_ROUNDINGS[0]
) -> tf.Tensor:
  """`layers.mpool_op` with square windows."""
  return mpool_op(inputs, scope, kernel, kernel, stride, stride, rounding)
