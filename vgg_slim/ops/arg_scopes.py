"""tf-slim's defaults for each family of networks, and the one slim layer that slim lacks."""

from collections.abc import Callable
from typing import Any

from vgg_slim.compat import slim, tf
from vgg_slim.ops import initializers
from vgg_slim.ops.layers import sliding_fc

BATCH_NORM_DECAY = 0.997  # of the moving statistics, as slim's ResNets have it
BATCH_NORM_EPSILON = 1e-5


@slim.add_arg_scope
def sliding_fully_connected(
  inputs: tf.Tensor,
  num_outputs: int,
  kernel_size: int,
  activation_fn: Callable | None = tf.nn.relu,
  weights_initializer: Callable | None = None,
  weights_regularizer: Callable | None = None,
  biases_initializer: Callable | None = tf.zeros_initializer,
  outputs_collections: str | None = None,
  scope: str | None = None,
) -> tf.Tensor:
  """`slim.conv2d(..., padding='VALID')` with its variables, run by `layers.sliding_fc`.

  Args:
    inputs: float32 [N, H, W, C].
    num_outputs: output units.
    kernel_size: side of the window.

  Returns:
    float32 [N, H - kernel_size + 1, W - kernel_size + 1, num_outputs].
  """
  with tf.variable_scope(scope, 'fc', [inputs]) as sc:
    weights = slim.model_variable(
      'weights',
      [kernel_size, kernel_size, inputs.shape[-1], num_outputs],
      initializer=weights_initializer or tf.glorot_uniform_initializer(),
      regularizer=weights_regularizer,
    )
    biases = slim.model_variable('biases', [num_outputs], initializer=biases_initializer)
    net = tf.nn.bias_add(sliding_fc(inputs, weights), biases)
    if activation_fn is not None:
      net = activation_fn(net)
    return slim.utils.collect_named_outputs(outputs_collections, sc.name, net)


def vgg_arg_scope(
  weight_decay: float = 5e-4,
  initializer: str = 'he',
  batch_norm: bool = False,
  is_training: bool = False,
) -> dict[str, Any]:
  """Defaults of a VGG: ReLU, zero biases, L2 on weights, pools that floor.

  Args:
    weight_decay: multiplies sum(w**2) / 2; 0 for none. Biases and batch norm are left out.
    initializer: a name of `initializers.get`.
    batch_norm: puts batch norm, with scale and shift, in the place of each convolution's bias.
    is_training: whether batch norm takes the batch's statistics and moves its averages.
  """
  normalizer = {}
  if batch_norm:
    normalizer = {
      'normalizer_fn': slim.batch_norm,
      'normalizer_params': {
        'decay': BATCH_NORM_DECAY,
        'epsilon': BATCH_NORM_EPSILON,
        'scale': True,
        'is_training': is_training,
      },
    }
  with (
    slim.arg_scope(
      [slim.conv2d, sliding_fully_connected],
      activation_fn=tf.nn.relu,
      weights_initializer=initializers.get(initializer),
      weights_regularizer=slim.l2_regularizer(weight_decay) if weight_decay else None,
      biases_initializer=tf.zeros_initializer(),
    ),
    slim.arg_scope([slim.conv2d], padding='SAME', **normalizer),
    slim.arg_scope([slim.max_pool2d], padding='VALID') as scope,
  ):
    return scope
