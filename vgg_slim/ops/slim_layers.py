"""Layers in the style of tf-slim that tf-slim lacks, or that are faster here."""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from vgg_slim.compat import slim, tf
from vgg_slim.constants import POOL_ROUNDINGS
from vgg_slim.ops import block_sizes, blockwise, cached_weights, variables, winograd
from vgg_slim.ops.cross_replica import cross_replica_mean
from vgg_slim.ops.layers import DropoutSeed, dropout_op, mpool_op, sliding_fc
from vgg_slim.scopes import is_under


@slim.add_arg_scope
def conv2d(
  inputs: tf.Tensor,
  num_outputs: int,
  kernel_size: int,
  stride: int = 1,
  padding: str = 'SAME',
  activation_fn: Callable | None = tf.nn.relu,
  weights_initializer: Callable | None = None,
  biases_initializer: Callable | None = tf.zeros_initializer,
  normalizer_fn: Callable | None = None,
  normalizer_params: dict[str, Any] | None = None,
  fold_fn: Callable | None = None,
  cache_dtype: tf.DType | None = None,
  fast_cpu_conv: bool = False,
  scope: str | None = None,
) -> tf.Tensor:
  """`slim.conv2d` with the same variables and values, but faster to build and to run.

  Args:
    inputs: float32 [N, H, W, C], input feature map.
    num_outputs: number of output channels.
    kernel_size: side of the kernel, in pixels.
    stride: stride, in pixels.
    padding: 'SAME' or 'VALID'.
    activation_fn: activation function; None for a linear layer.
    weights_initializer: initializer of the weights; Glorot uniform by default.
    biases_initializer: initializer of the biases.
    normalizer_fn: normalization that replaces the bias, as in `slim.conv2d`.
    normalizer_params: keyword arguments of `normalizer_fn`.
    fold_fn: function from the kernel to the kernel and bias that give the normalized output; also
      takes `normalizer_params`. With `cache_dtype` it replaces `normalizer_fn`.
    cache_dtype: dtype in which kernel and bias are cached, for graphs that never train, see
      `cached_weights`; None to read the variables.
    fast_cpu_conv: whether to use `winograd` where that is faster; for float32 sessions on CPUs.
    scope: variable scope.
  """
  with tf.variable_scope(scope, 'Conv', [inputs]):
    shape = [kernel_size, kernel_size, inputs.shape[-1], num_outputs]
    kernel = variables.weights(shape, weights_initializer)
    normalize, bias, cached_kind = None, None, 'kernel'
    if fold_fn and cache_dtype:
      cached_kind = 'folded_kernel'
      kernel, shift = fold_fn(kernel, **normalizer_params or {})
      bias = cached_weights.cache(shift, 'folded_biases')
    elif normalizer_fn:
      normalize = functools.partial(normalizer_fn, **normalizer_params or {})
    else:
      bias = variables.biases(num_outputs, biases_initializer)

    trains, shape = cache_dtype is None, kernel.shape.as_list()
    if fast_cpu_conv and winograd.is_faster(inputs, shape, stride, padding, trains):
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
  biases_initializer: Callable | None = tf.zeros_initializer,
  normalizer_fn: Callable | None = None,
  cache_dtype: tf.DType | None = None,
  block_dtype: tf.DType | None = None,
  fast_cpu_conv: bool = False,
  scope: str | None = None,
) -> tf.Tensor:
  """`slim.conv2d(..., padding='VALID')` with the same variables, computed by `layers.sliding_fc`.

  Args:
    inputs: float32 [N, H, W, C], input feature map.
    num_outputs: number of output units.
    kernel_size: side of the window, in pixels.
    activation_fn: activation function; None for a linear layer.
    weights_initializer: initializer of the weights; Glorot uniform by default.
    biases_initializer: initializer of the biases.
    normalizer_fn: normalization that replaces the bias, as in `slim.conv2d`.
    cache_dtype: dtype in which the weights are cached, see `cached_weights`; None to read the
      variable.
    block_dtype: dtype of `blockwise.product`, which takes the place of `layers.sliding_fc` where
      the kernel is large and covers the whole map; None for nowhere.
    fast_cpu_conv: see `layers.sliding_fc`.
    scope: variable scope.

  Returns:
    float32 [N, H - kernel_size + 1, W - kernel_size + 1, num_outputs].
  """
  with tf.variable_scope(scope, 'fc', [inputs]):
    shape = [kernel_size, kernel_size, inputs.shape[-1], num_outputs]
    weights = variables.weights(shape, weights_initializer)
    kernel = cached_weights.cache(weights, 'kernel', cache_dtype) if cache_dtype else weights
    covers_map = inputs.shape.as_list()[1:3] == [kernel_size, kernel_size]
    if block_dtype and covers_map and block_sizes.is_worthwhile(shape):
      net = blockwise.product(tf.reshape(inputs, [-1, math.prod(shape[:3])]), weights, block_dtype)
      net = tf.reshape(net, [-1, 1, 1, num_outputs])
    else:
      net = sliding_fc(inputs, kernel, fast_cpu_conv)
    if normalizer_fn is None:
      biases = variables.biases(num_outputs, biases_initializer)
      net = tf.nn.bias_add(net, biases)
    else:
      net = normalizer_fn(net)
    return net if activation_fn is None else activation_fn(net)


# After n updates of batch norm's averages, the next one has the weight 9 / (n + 9), which Shamir
# and Zhang (2013), arXiv:1212.1824, call polynomial-decay averaging. With 3, validation of short
# runs was up to 5 points worse, see docs/decisions/0065-unbiased-batch-norm-statistics.md.
_AVERAGING_OFFSET = 9.0


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
  """`slim.batch_norm(..., scale=True)` with the same variables and values, but faster to build.

  tf-slim uses TensorFlow's layer classes, whose time is quadratic in the number of variables:
  building a ResNet152 takes 18 s of one core with them and 7 s here.

  Args:
    inputs: float32 [N, H, W, C], input feature map.
    decay: decay of the moving mean and variance, see `num_updates`.
    epsilon: constant added to the variance.
    is_training: whether to use the statistics of the batch and add the updates of the moving
      averages to UPDATE_OPS. The moving variance has N - 1 degrees of freedom.
    trainable_scopes: scopes outside which the layer is frozen: even in training it uses its moving
      averages and does not update them. Empty to freeze no layer.
    biases: whether to add the bias of the convolution, a variable in the caller's scope that
      Keras's ResNets have. Subtracting the batch's mean cancels it, so it is added only to the
      moving mean and has no gradient except that of weight decay.
    cross_replica: whether the statistics of the batch are computed over all replicas.
    num_updates: int64 [], number n of earlier updates of the moving averages: the next one decays
      them by n / (n + 9) if that is less than `decay`. The first update thus replaces the initial
      values, and early statistics, of weights that have changed since, are soon forgotten. None
      for `decay` throughout, as in tf-slim.
    scope: variable scope of beta, gamma, moving_mean and moving_variance.
  """
  channels = inputs.shape[-1]
  bias = variables.biases(channels) if biases else 0.0
  with tf.variable_scope(scope) as own_scope:
    gamma, beta, mean, variance = _batch_norm_variables(channels)
    is_frozen = trainable_scopes and not is_under(own_scope.name, trainable_scopes)
    if is_frozen or not is_training:
      return tf.nn.fused_batch_norm(
        inputs, gamma, beta, mean - bias, variance, epsilon=epsilon, is_training=False
      )[0]
    normalize = _cross_replica_batch_norm if cross_replica else tf.nn.fused_batch_norm
    net, batch_mean, batch_variance = normalize(inputs, gamma, beta, epsilon=epsilon)
    weight = _update_weight(decay, num_updates)
    for average, value in ((mean, batch_mean + bias), (variance, batch_variance)):
      update = average.assign_sub((average - value) * weight)
      tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, update)
    return net


def _update_weight(decay: float, num_updates: tf.Tensor | None) -> float | tf.Tensor:
  """Weight of a batch's statistics in the moving averages."""
  if num_updates is None:
    return 1 - decay
  offset = _AVERAGING_OFFSET
  return tf.maximum(1 - decay, offset / (tf.cast(num_updates, tf.float32) + offset))


def fold_batch_norm(
  kernel: tf.Tensor, epsilon: float = 1e-5, biases: bool = False, scope: str = 'BatchNorm'
) -> tuple[tf.Tensor, tf.Tensor]:
  """Folds `batch_norm`, as it is outside training, into the convolution below it.

  Args:
    kernel: float32 [kh, kw, C, K], kernel of the convolution.
    epsilon: see `batch_norm`.
    biases: see `batch_norm`.
    scope: see `batch_norm`, whose variables are used.

  Returns:
    Kernel float32 [kh, kw, C, K] and bias float32 [K] of the folded convolution.
  """
  channels = kernel.shape[-1]
  bias = variables.biases(channels) if biases else 0.0
  with tf.variable_scope(scope):
    gamma, beta, mean, variance = _batch_norm_variables(channels)
    scale = gamma * tf.rsqrt(variance + epsilon)
    return kernel * scale, beta - (mean - bias) * scale


def _batch_norm_variables(channels: int) -> _BatchNormVariables:
  return _BatchNormVariables(
    slim.model_variable('gamma', [channels], initializer=tf.ones_initializer()),
    slim.model_variable('beta', [channels], initializer=tf.zeros_initializer()),
    _moving_average('moving_mean', [channels], tf.zeros_initializer()),
    _moving_average('moving_variance', [channels], tf.ones_initializer()),
  )


def _cross_replica_batch_norm(
  inputs: tf.Tensor, gamma: tf.Variable, beta: tf.Variable, epsilon: float
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
  """`tf.nn.fused_batch_norm` over the images of all replicas, which have the same number of images.

  The variance is computed in a second pass, since the mean of squares minus the squared mean loses
  precision if the variance is small.
  """
  mean = cross_replica_mean(tf.reduce_mean(inputs, [0, 1, 2]))
  variance = cross_replica_mean(tf.reduce_mean(tf.math.squared_difference(inputs, mean), [0, 1, 2]))
  net = tf.nn.batch_normalization(inputs, mean, variance, beta, gamma, epsilon)
  replicas = tf.distribute.get_strategy().num_replicas_in_sync
  count = tf.cast(tf.reduce_prod(tf.shape(inputs)[:3]) * replicas, variance.dtype)
  return net, mean, variance * (count / (count - 1))


def _moving_average(name: str, shape: list[int], initializer: Callable) -> tf.Variable:
  """Variable with one copy per replica, each updated on its own; checkpoints contain their mean."""
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
