"""The tf-slim arg scope that all networks share."""

from typing import Any

from vgg_slim import sessions
from vgg_slim.compat import slim, tf
from vgg_slim.configs.config import NetConfig
from vgg_slim.nets.mode import Inference, Mode, Training
from vgg_slim.ops import initializers, slim_layers


def net_arg_scope(
  mode: Mode,
  initializer: str = NetConfig.initializer,
  batch_norm: tuple[float, float] | None = None,
  conv_biases: bool = False,
) -> dict[str, Any]:
  """Returns defaults for the layers of every network: ReLU, zero biases, and those of `mode`.

  Args:
    mode: purpose that the network is built for.
    initializer: name of the weight initializer, see `initializers.get`.
    batch_norm: (decay, epsilon) of a batch norm with scale and shift after each convolution; None
      for no batch norm.
    conv_biases: whether convolutions that batch norm follows have a bias.
  """
  normalizer, settings = {}, {}
  if batch_norm:
    settings = {'decay': batch_norm[0], 'epsilon': batch_norm[1]}
    normalizer = {
      'normalizer_fn': slim_layers.batch_norm,
      'fold_fn': slim_layers.fold_batch_norm,
      'normalizer_params': {'biases': conv_biases, 'epsilon': batch_norm[1]},
    }
  with (
    slim.arg_scope(
      [slim_layers.conv2d, slim_layers.sliding_fully_connected],
      activation_fn=tf.nn.relu,
      weights_initializer=initializers.get(initializer),
      biases_initializer=tf.zeros_initializer(),
      fast_cpu_conv=mode.fast_cpu_conv and not sessions.num_gpus(),
    ),
    slim.arg_scope([slim_layers.conv2d], padding='SAME', **normalizer),
    slim.arg_scope([slim.max_pool2d, slim.avg_pool2d], padding='VALID'),
    slim.arg_scope([slim_layers.batch_norm], **settings),
  ):
    return _training_scope(mode) if isinstance(mode, Training) else _inference_scope(mode)


def _training_scope(mode: Training) -> dict[str, Any]:
  with (
    slim.arg_scope(
      [slim_layers.batch_norm],
      is_training=True,
      trainable_scopes=mode.trainable_scopes,
      cross_replica=mode.sync_batch_norm,
      num_updates=mode.num_updates,
    ),
    slim.arg_scope([slim_layers.sliding_fully_connected], block_dtype=mode.block_dtype),
    slim.arg_scope([slim_layers.dropout], is_training=True, seed=mode.dropout_seed) as scope,
  ):
    return scope


def _inference_scope(mode: Inference) -> dict[str, Any]:
  # Nothing is folded into fully-connected layers, so a float32 cache would only copy the variable.
  fc_dtype = None if mode.cache_dtype == tf.float32 else mode.cache_dtype
  with (
    slim.arg_scope([slim_layers.conv2d], cache_dtype=mode.cache_dtype),
    slim.arg_scope([slim_layers.max_pool], rounding=mode.pool_rounding),
    slim.arg_scope([slim_layers.sliding_fully_connected], cache_dtype=fc_dtype) as scope,
  ):
    return scope
