"""Weights and biases: every layer, of `layers` and of `slim_layers`, gets its variables here.

No variable has a regularizer of its own; `weight_decay` alone decays them.
"""

from collections.abc import Callable, Sequence

from vgg_slim.compat import slim, tf


def weights(shape: Sequence[int], initializer: Callable | None = None) -> tf.Variable:
  """Variable `weights` of the current scope, Glorot uniform by default."""
  initializer = initializer or tf.glorot_uniform_initializer()
  return slim.model_variable('weights', shape, tf.float32, initializer)


def biases(size: int, initializer: Callable | None = tf.zeros_initializer) -> tf.Variable:
  """Variable `biases` of the current scope, 0 by default."""
  return slim.model_variable('biases', [size], tf.float32, initializer)
