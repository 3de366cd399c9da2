"""tf-slim's defaults for every network."""

from collections.abc import Sequence
from typing import Any

from vgg_slim.compat import slim, tf
from vgg_slim.config import NetConfig
from vgg_slim.ops import initializers, slim_layers
from vgg_slim.ops.layers import DropoutSeed


def net_arg_scope(
  weight_decay: float = 5e-4,
  initializer: str = NetConfig.initializer,
  batch_norm: tuple[float, float] | None = None,
  conv_biases: bool = False,
  is_training: bool = False,
  dropout_seed: DropoutSeed | tf.Tensor | None = None,
  trainable_scopes: Sequence[str] = (),
  sync_batch_norm: bool = False,
  cache_dtype: tf.DType | None = None,
  fast_cpu_conv: bool = False,
) -> dict[str, Any]:
  """Defaults of every network: ReLU, zero biases, L2 on weights, pools that floor.

  Args:
    weight_decay: multiplies sum(w**2) / 2; 0 for none. Biases and batch norm are left out.
    initializer: a name of `initializers.get`.
    batch_norm: (decay, epsilon) of batch norm, with scale and shift, after each convolution.
    conv_biases: whether convolutions keep their bias below batch norm.
    is_training: whether dropout drops, and batch norm takes the batch's statistics and adds the
      updates of its averages to UPDATE_OPS.
    dropout_seed: as `layers.dropout_op`.
    trainable_scopes: batch norm outside of these is frozen; empty for none frozen.
    sync_batch_norm: whether batch norm takes the statistics of all replicas' pictures together.
    cache_dtype: for graphs that never train: batch norm is folded into the convolutions, and
      kernels are cached in this dtype, see `cached_weights`.
    fast_cpu_conv: see `registry.build`.
  """
  fast_cpu_conv = fast_cpu_conv and not tf.config.list_physical_devices('GPU')
  normalizer, settings = {}, {}
  # Nothing is folded into a fully-connected layer: its float32 kernel is what its variable holds.
  cast_dtype = None if cache_dtype == tf.float32 else cache_dtype
  if batch_norm:
    settings = {'decay': batch_norm[0], 'epsilon': batch_norm[1]}
    normalizer = {
      'normalizer_fn': slim_layers.batch_norm,
      'fold_fn': slim_layers.fold_batch_norm if cache_dtype else None,
      'normalizer_params': {'biases': conv_biases, 'epsilon': batch_norm[1]},
    }
  with (
    slim.arg_scope(
      [slim_layers.conv2d, slim_layers.sliding_fully_connected],
      activation_fn=tf.nn.relu,
      weights_initializer=initializers.get(initializer),
      weights_regularizer=slim.l2_regularizer(weight_decay) if weight_decay else None,
      biases_initializer=tf.zeros_initializer(),
    ),
    slim.arg_scope(
      [slim_layers.conv2d],
      padding='SAME',
      cache_dtype=cache_dtype,
      fast_cpu_conv=fast_cpu_conv,
      **normalizer,
    ),
    slim.arg_scope(
      [slim_layers.sliding_fully_connected], cache_dtype=cast_dtype, fast_cpu_conv=fast_cpu_conv
    ),
    slim.arg_scope([slim.max_pool2d, slim.avg_pool2d], padding='VALID'),
    slim.arg_scope(
      [slim_layers.batch_norm],
      is_training=is_training,
      trainable_scopes=trainable_scopes,
      cross_replica=sync_batch_norm,
      **settings,
    ),
    slim.arg_scope([slim_layers.dropout], is_training=is_training, seed=dropout_seed) as scope,
  ):
    return scope
