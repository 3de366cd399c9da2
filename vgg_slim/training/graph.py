"""The training graph: network and loss, gradients, update, a look at the pictures.

Of several devices each has the first two to itself; the update exchanges the gradients.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

from vgg_slim.compat import slim, tf
from vgg_slim.configs.config import TrainConfig
from vgg_slim.ops.cross_replica import cross_replica_mean
from vgg_slim.ops.scopes import is_under
from vgg_slim.preprocessing import graph
from vgg_slim.training import gradients, losses, optimizers, schedules, warm_start
from vgg_slim.training.distribution import Distribution, Replica
from vgg_slim.training.forward import Forward, build_forward

LOSS_CHECK = 'The loss is not finite'  # what TensorFlow's error says where a step was refused
_SAMPLES = 9  # three by three


class TrainOps(NamedTuple):
  """Handles of the training graph; scalars are float32 [].

  Attributes:
    train_op: one step: update, batch-norm averages, moving averages; yields the loss before it.
    losses: see `losses.Losses`.
    accuracy: of the batch, with dropout and augmentation.
    learning_rate: of this step.
    learning_rate_scale: see `schedules.LearningRate`.
    global_step: int64 variable.
    samples: uint8 [n, side, side, 3], the first pictures of the batch as the network sees them, and
      their labels as they are given.
    start_averages: makes the moving averages equal to the variables; None without averages.
    end_points: every layer of the network by name, for the first part of the batch.
    gradients: of the step, with their variables.
  """

  train_op: tf.Tensor
  losses: losses.Losses
  accuracy: tf.Tensor
  learning_rate: tf.Tensor
  learning_rate_scale: tf.Variable | None
  global_step: tf.Variable
  samples: tuple[tf.Tensor, tf.Tensor]
  start_averages: tf.Operation | None
  end_points: dict[str, tf.Tensor]
  gradients: gradients.Gradients


def build_train_graph(
  config: TrainConfig,
  images: tf.Tensor,
  labels: tf.Tensor,
  steps_per_epoch: float,
  distribution: Distribution | None = None,
) -> TrainOps:
  """Adds the training graph to the default graph; runs nothing.

  Args:
    config: network, optimizer, length, seed and what is trained.
    images: float32 [N, side, side, 3], preprocessed; this process's share of the batch.
    labels: int32 [N], or float32 [N, K] where pictures are mixed.
    steps_per_epoch: training pictures over batch size.
    distribution: of the replicas, whose scope this is called in; None for one alone.
  """
  distribution = distribution or Distribution()
  global_step = tf.train.get_or_create_global_step()

  def build_replica(replica: Replica) -> TrainOps:
    pictures, classes = replica.share(images), replica.share(labels)
    return _build_replica(config, pictures, classes, steps_per_epoch, global_step, replica)

  first, *others = distribution.build_replicas(build_replica)
  if others:
    with tf.control_dependencies([ops.train_op for ops in others]):
      first = first._replace(train_op=tf.identity(first.train_op))
  return first._replace(samples=_build_samples(config, images, labels))


def _build_replica(
  config: TrainConfig,
  images: tf.Tensor,
  labels: tf.Tensor,
  steps_per_epoch: float,
  global_step: tf.Variable,
  replica: Replica,
) -> TrainOps:
  """The step on one device, with scalars of the whole batch, and without the samples."""
  parts = config.optimizer.gradient_accumulation_steps
  slices = list(zip(_split(images, parts), _split(labels, parts), strict=True))
  forward = functools.partial(
    build_forward,
    config,
    global_step=global_step,
    sync_batch_norm=config.distribution.sync_batch_norm and replica.count > 1,
  )
  first_part = parts * replica.index
  # The first part makes the variables, before the optimizer: TensorFlow draws the initial values of
  # a seed by the number of random draws that stand before a variable's.
  passes = [forward(*slices[0], part=first_part)]
  with tf.name_scope('train') as train_scope:
    rate = schedules.build_learning_rate(
      config.optimizer, global_step, _horizon(config, steps_per_epoch)
    )
    optimizer = build_optimizer(config, rate.value)
    variables = trained_variables(config.fine_tune.trainable_scopes)
    found = [_part_gradients(optimizer, passes[0], variables, parts * replica.count, first_part)]
  for part in range(1, parts):
    # One part at a time: its activations are gone before the next one's are made.
    before = [gradient for gradient, _ in found[-1] if gradient is not None]
    before += tf.get_collection(tf.GraphKeys.UPDATE_OPS)
    with (
      tf.control_dependencies(before),
      tf.variable_scope(tf.get_variable_scope(), reuse=True),
      tf.name_scope(f'part_{part}'),
    ):
      pictures, classes = (tf.identity(values) for values in slices[part])
      passes.append(forward(pictures, classes, part=first_part + part))
      found.append(
        _part_gradients(optimizer, passes[-1], variables, parts * replica.count, first_part + part)
      )
  step_losses, accuracy = _of_the_batch(passes, replica)
  with tf.name_scope(train_scope):
    found = gradients.add_up(found)
    update = build_update(config, optimizer, found, step_losses, global_step)
    train_op, start_averages = _build_averages(config, update, global_step)
    with tf.control_dependencies([train_op]):
      train_op = tf.identity(step_losses.total, name='train_op')
  return TrainOps(
    train_op=train_op,
    losses=step_losses,
    accuracy=accuracy,
    learning_rate=rate.value,
    learning_rate_scale=rate.scale,
    global_step=global_step,
    samples=None,
    start_averages=start_averages,
    end_points=passes[0].end_points,
    gradients=found,
  )


def build_optimizer(config: TrainConfig, learning_rate: tf.Tensor) -> tf.train.Optimizer:
  """The optimizer of the variables that stand in the graph; see `optimizers.build_optimizer`."""
  decayed = losses.of_kinds(tf.trainable_variables(), config.optimizer.weight_decay_on)
  optimizer = optimizers.build_optimizer(config.optimizer, learning_rate, decayed)
  return optimizers.scale_loss(optimizer) if config.runtime.precision == 'float16' else optimizer


def build_update(
  config: TrainConfig,
  optimizer: tf.train.Optimizer,
  found: gradients.Gradients,
  step_losses: losses.Losses,
  global_step: tf.Variable,
) -> tf.Operation:
  """Adds one update of variables, batch-norm averages and `global_step`.

  It fails where the loss is not finite, and then leaves weights and step as they were, so that the
  step can be looked into.
  """
  if config.optimizer.clip_gradient_norm is not None:
    found = gradients.clip(found, config.optimizer.clip_gradient_norm)
  is_finite = tf.debugging.check_numerics(step_losses.total, LOSS_CHECK)
  with tf.control_dependencies([is_finite, *tf.get_collection(tf.GraphKeys.UPDATE_OPS)]):
    update = optimizer.apply_gradients(found)
  # Not by the optimizer, which with a scaled loss leaves out some updates and would not count them.
  with tf.control_dependencies([update]):
    return global_step.assign_add(1).op


def trained_variables(trainable_scopes: Sequence[str]) -> list[tf.Variable]:
  """The trainable variables under `trainable_scopes`; all of them where it is empty.

  Raises:
    ConfigError: a scope that matches nothing.
  """
  variables = tf.trainable_variables()
  if not trainable_scopes:
    return variables
  warm_start.check_scopes('trainable_scopes', trainable_scopes, [v.op.name for v in variables])
  return [v for v in variables if is_under(v.op.name, trainable_scopes)]


def _part_gradients(
  optimizer: tf.train.Optimizer,
  part: Forward,
  variables: Sequence[tf.Variable],
  parts: int,
  index: int,
) -> gradients.Gradients:
  """Those of a part's share of the loss; the first of all shares has the weight decay."""
  loss = part.losses.total
  if parts > 1:
    loss = part.losses.cross_entropy / parts
    if index == 0:
      loss += part.losses.regularization
  return optimizer.compute_gradients(loss, variables)


def _split(values: tf.Tensor, parts: int) -> list[tf.Tensor]:
  return [values] if parts == 1 else tf.split(values, parts)


def _mean(values: Sequence[tf.Tensor]) -> tf.Tensor:
  return values[0] if len(values) == 1 else tf.add_n(values) / len(values)


def _of_the_batch(parts: Sequence[Forward], replica: Replica) -> tuple[losses.Losses, tf.Tensor]:
  """Losses and accuracy over the parts of all replicas."""
  if len(parts) * replica.count == 1:
    return parts[0].losses, parts[0].accuracy
  cross_entropy = _mean([part.losses.cross_entropy for part in parts])
  accuracy = _mean([part.accuracy for part in parts])
  if replica.count > 1:
    means = cross_replica_mean(tf.stack([cross_entropy, accuracy]))
    cross_entropy, accuracy = tf.unstack(means)
  regularization = parts[0].losses.regularization
  total = cross_entropy + regularization
  return losses.Losses(total, cross_entropy, regularization), accuracy


def _horizon(config: TrainConfig, steps_per_epoch: float) -> schedules.Horizon:
  batch_size = config.run.batch_size
  total_steps = config.run.total_steps(round(steps_per_epoch * batch_size))
  return schedules.Horizon(steps_per_epoch, total_steps, batch_size)


def _build_averages(
  config: TrainConfig, update: tf.Operation, global_step: tf.Variable
) -> tuple[tf.Operation, tf.Operation | None]:
  """Averages of all the network's variables after each update, and the operation to start them.

  The decay begins at (1 + step) / (10 + step), so that early averages keep up.
  """
  decay = config.optimizer.moving_average_decay
  if decay is None:
    return update, None
  with tf.control_dependencies([update]):
    average = tf.train.ExponentialMovingAverage(decay, num_updates=global_step)
    variables = slim.get_model_variables()
    averaged = average.apply(variables)
  start = tf.group(*(average.average(variable).assign(variable) for variable in variables))
  return averaged, start


def _build_samples(
  config: TrainConfig, images: tf.Tensor, labels: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
  with tf.name_scope('samples'):
    preprocessing = config.preprocessing
    seen = graph.denormalize(images[:_SAMPLES], preprocessing.rgb_mean, preprocessing.pixel_scale)
    return seen, labels[:_SAMPLES]
