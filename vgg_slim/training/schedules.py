"""Learning-rate schedules by name, each with an optional warm-up."""

import math
from collections.abc import Callable
from typing import NamedTuple

from vgg_slim.compat import tf
from vgg_slim.configs.schedule import ONE_CYCLE_START, ScheduleConfig

# Smith & Topin (arXiv:1708.07120) leave it and ONE_CYCLE_START to the user; both are PyTorch's.
_ONE_CYCLE_RISE = 0.3  # fraction of the schedule in which the rate rises


class Horizon(NamedTuple):
  """Length of a run, and the conversion of epochs to steps.

  Attributes:
    steps_per_epoch: number of training images divided by the batch size; need not be an integer.
    total_steps: length of the run in steps.
    batch_size: number of images per step.
  """

  steps_per_epoch: float
  total_steps: int
  batch_size: int

  def steps(self, epochs: float) -> int:
    return round(epochs * self.steps_per_epoch)


class LearningRate(NamedTuple):
  """Handles of a schedule in the graph.

  Attributes:
    value: learning rate of the current step, float32 [].
    scale: factor of the rate that 'plateau' sets, float32 variable; None for other schedules.
  """

  value: tf.Tensor
  scale: tf.Variable | None


def build_learning_rate(
  config: ScheduleConfig, global_step: tf.Tensor, horizon: Horizon
) -> LearningRate:
  """Adds the schedule to the default graph.

  In a warm-up of w steps the rate is 1/w, 2/w, ... of the schedule's first rate; the schedule then
  starts w steps later.

  Args:
    config: config of the schedule.
    global_step: global step, int64 [].
    horizon: length of the run.
  """
  warmup = horizon.steps(config.warmup_epochs)
  scale = None
  if config.learning_rate_decay_type == 'plateau':
    # A local variable, which is not in checkpoints: `selection.Plateau` saves it and sets it.
    scale = tf.get_variable(
      'learning_rate_scale',
      initializer=1.0,
      trainable=False,
      collections=[tf.GraphKeys.LOCAL_VARIABLES],
    )
  step = tf.maximum(tf.convert_to_tensor(global_step) - warmup, 0) if warmup else global_step
  length = config.schedule_epochs
  end = horizon.steps(length) if length else horizon.total_steps
  rate = FORMULAS[config.learning_rate_decay_type](
    config, step, horizon._replace(total_steps=max(1, end - warmup))
  )
  if scale is not None:
    rate *= scale
  if warmup:
    rate *= tf.minimum(1.0, tf.cast(global_step + 1, tf.float32) / warmup)
  return LearningRate(tf.identity(rate, 'learning_rate'), scale)


def _fixed(config: ScheduleConfig, step: tf.Tensor, horizon: Horizon) -> tf.Tensor:
  return tf.constant(config.learning_rate, tf.float32)


def _exponential(config: ScheduleConfig, step: tf.Tensor, horizon: Horizon) -> tf.Tensor:
  """rate * factor ** (step / (epochs_per_decay * steps_per_epoch)), as a staircase or smooth."""
  return tf.train.exponential_decay(
    config.learning_rate,
    step,
    decay_steps=max(1, horizon.steps(config.epochs_per_decay)),
    decay_rate=config.learning_rate_decay_factor,
    staircase=config.staircase,
  )


def _piecewise(config: ScheduleConfig, step: tf.Tensor, horizon: Horizon) -> tf.Tensor:
  """Constant between boundaries; the rate changes at the step of each boundary."""
  # In TensorFlow, a boundary is the last step with the old rate.
  boundaries = [horizon.steps(epochs) - 1 for epochs in config.learning_rate_boundaries]
  rates = config.learning_rate_values or [
    config.learning_rate * config.learning_rate_decay_factor ** (i + 1)
    for i in range(len(boundaries))
  ]
  return tf.train.piecewise_constant(step, boundaries, [config.learning_rate, *rates])


def _discrete_exponential(config: ScheduleConfig, step: tf.Tensor, horizon: Horizon) -> tf.Tensor:
  """rate * factor ** floor(examples / examples_per_decay), like PaddlePaddle's `discexp`."""
  decays = tf.cast(step, tf.int64) * horizon.batch_size // config.examples_per_decay
  return config.learning_rate * config.learning_rate_decay_factor ** tf.cast(decays, tf.float32)


def _inverse_time(config: ScheduleConfig, step: tf.Tensor, horizon: Horizon) -> tf.Tensor:
  """rate / (1 + factor * step), like `decay` of Keras's SGD."""
  return tf.train.inverse_time_decay(
    config.learning_rate, step, decay_steps=1, decay_rate=config.learning_rate_decay_factor
  )


def _polynomial(config: ScheduleConfig, step: tf.Tensor, horizon: Horizon) -> tf.Tensor:
  """(rate - end) * (1 - step / total) ** power + end."""
  return tf.train.polynomial_decay(
    config.learning_rate, step, horizon.total_steps, config.end_learning_rate, config.decay_power
  )


def _cosine(config: ScheduleConfig, step: tf.Tensor, horizon: Horizon) -> tf.Tensor:
  """Half a cosine from the initial to the final rate (Loshchilov & Hutter, arXiv:1608.03983)."""
  alpha = config.end_learning_rate / config.learning_rate
  return tf.train.cosine_decay(config.learning_rate, step, horizon.total_steps, alpha)


def _one_cycle(config: ScheduleConfig, step: tf.Tensor, horizon: Horizon) -> tf.Tensor:
  """Half a cosine up to the peak, then one down to the end (Smith & Topin, arXiv:1708.07120)."""
  progress = tf.minimum(tf.cast(step, tf.float32) / horizon.total_steps, 1.0)
  start, peak, end = (
    config.learning_rate / ONE_CYCLE_START,
    config.learning_rate,
    config.end_learning_rate,
  )
  rising = _half_cosine(start, peak, progress / _ONE_CYCLE_RISE)
  falling = _half_cosine(peak, end, (progress - _ONE_CYCLE_RISE) / (1 - _ONE_CYCLE_RISE))
  return tf.where(progress < _ONE_CYCLE_RISE, rising, falling)


def _half_cosine(first: float, last: float, progress: tf.Tensor) -> tf.Tensor:
  return last + (first - last) * (1 + tf.cos(math.pi * progress)) / 2


# The formula of each row of `configs.schedule.SCHEDULES`.
FORMULAS: dict[str, Callable[[ScheduleConfig, tf.Tensor, Horizon], tf.Tensor]] = {
  'fixed': _fixed,
  'exponential': _exponential,
  'piecewise': _piecewise,
  'discrete_exponential': _discrete_exponential,
  'inverse_time': _inverse_time,
  'polynomial': _polynomial,
  'cosine': _cosine,
  'one_cycle': _one_cycle,
  'plateau': _fixed,
}
