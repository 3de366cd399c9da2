"""Learning rates as functions of the global step."""

from vgg_slim.compat import tf
from vgg_slim.config import OptimizerConfig


def build_learning_rate(
  config: OptimizerConfig, global_step: tf.Tensor, steps_per_epoch: float
) -> tf.Tensor:
  """float32 []: fixed, or rate * factor ** floor(step / (epochs_per_decay * steps_per_epoch)).

  Args:
    config: see `OptimizerConfig`.
    global_step: int64 [].
    steps_per_epoch: training pictures over batch size; need not be whole.
  """
  if config.learning_rate_decay_type == 'fixed':
    return tf.constant(config.learning_rate, tf.float32, name='learning_rate')
  return tf.train.exponential_decay(
    config.learning_rate,
    global_step,
    decay_steps=max(1, round(config.epochs_per_decay * steps_per_epoch)),
    decay_rate=config.learning_rate_decay_factor,
    staircase=True,
    name='learning_rate',
  )
