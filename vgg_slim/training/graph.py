"""The training graph: network and loss, gradients, update, and sample images for TensorBoard.

Each device has its own copy of network and loss; the update exchanges the gradients.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

from vgg_slim.compat import slim, tf
from vgg_slim.configs.config import TrainConfig
from vgg_slim.configs.optimizer import OPTIMIZERS, OptimizerConfig
from vgg_slim.ops import blockwise, weight_decay
from vgg_slim.ops.cross_replica import cross_replica_mean
from vgg_slim.ops.scopes import plain_name
from vgg_slim.preprocessing import graph
from vgg_slim.scopes import is_under
from vgg_slim.training import gradients, losses, memory_plan, optimizers, schedules, warm_start
from vgg_slim.training.distribution import Distribution, Replica
from vgg_slim.training.forward import Forward, build_forward

LOSS_CHECK = 'The loss is not finite'  # in TensorFlow's error message when a step fails this check
_SAMPLES = 9  # a grid of three by three images


class TrainOps(NamedTuple):
  """Handles of the training graph; scalars are float32 [].

  Attributes:
    train_op: cross-entropy before the update; fetching it makes one step, which updates variables,
      batch-norm statistics and moving averages.
    losses: losses of the batch, see `losses.Losses`. A step does not compute `regularization`,
      which fails if it is not finite; fetch it before a step, since beside one it may see variables
      before or after their update.
    accuracy: accuracy on the batch, with dropout and augmentation.
    learning_rate: learning rate of this step.
    learning_rate_scale: variable scale of the rate, see `schedules.LearningRate`.
    global_step: global step, int64 variable.
    samples: first images of the batch as the network sees them, uint8 [n, side, side, 3], and their
      labels.
    start_averages: operation that sets the moving averages to the variables; None without averages.
    end_points: output of every layer of the network, by name, for the first micro-batch.
    gradients: pairs of gradient of the cross-entropy and variable of the step.
  """

  train_op: tf.Tensor
  losses: losses.Losses
  accuracy: tf.Tensor
  learning_rate: tf.Tensor
  learning_rate_scale: tf.Variable | None
  global_step: tf.Variable
  samples: tuple[tf.Tensor, tf.Tensor] | None
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
    config: config of the run.
    images: this process's share of the batch, preprocessed, float32 [N, side, side, 3].
    labels: labels, int32 [N], or class weights, float32 [N, K], where images are mixed.
    steps_per_epoch: number of training images divided by the batch size.
    distribution: distribution in whose scope this is called; None for a single replica.
  """
  distribution = distribution or Distribution()
  global_step = tf.train.get_or_create_global_step()

  def build_replica(replica: Replica) -> TrainOps:
    shares = replica.share(images), replica.share(labels)
    return _build_replica(config, *shares, steps_per_epoch, global_step, replica)

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
  """Builds the step of one device, with scalars of the whole batch and without samples."""
  plan = memory_plan.choose(config, replica.count)
  steps = plan.micro_batches
  slices = list(zip(_split(images, steps), _split(labels, steps), strict=True))
  forward = functools.partial(
    build_forward,
    config,
    global_step=global_step,
    sync_batch_norm=config.distribution.sync_batch_norm and replica.count > 1,
    plan=plan,
  )
  first_index, total = steps * replica.index, steps * replica.count
  # The first micro-batch creates the variables before the optimizer adds its own: the initial value
  # that TensorFlow draws for a variable depends on the number of random operations before it.
  passes = [forward(*slices[0], micro_batch=first_index)]
  with tf.name_scope('train') as train_scope:
    rate = schedules.build_learning_rate(
      config.optimizer, global_step, _horizon(config, steps_per_epoch)
    )
    optimizer = build_optimizer(config, rate.value)
    variables = trained_variables(config.fine_tune.trainable_scopes)
    step_gradients = _micro_batch_gradients(optimizer, passes[0], variables, total)
  for index in range(1, steps):
    # One micro-batch at a time, so that its activations are freed before the next one starts, and
    # its gradients are added to those before it: two copies exist, not one for each micro-batch.
    before = [gradient for gradient, _ in step_gradients if gradient is not None]
    before += tf.get_collection(tf.GraphKeys.UPDATE_OPS)
    with (
      tf.control_dependencies(before),
      tf.variable_scope(tf.get_variable_scope(), reuse=True),
      tf.name_scope(f'part_{index}'),
    ):
      inputs = (tf.identity(values) for values in slices[index])
      passes.append(forward(*inputs, micro_batch=first_index + index))
      found = _micro_batch_gradients(optimizer, passes[-1], variables, total)
      step_gradients = gradients.add(step_gradients, found)
  step_losses, accuracy = _batch_means(passes, replica)
  with tf.name_scope(train_scope):
    update = build_update(
      config, optimizer, step_gradients, step_losses.cross_entropy, global_step, replica.index == 0
    )
    train_op, start_averages = _build_averages(config, update, global_step)
    with tf.control_dependencies([train_op]):
      train_op = tf.identity(step_losses.cross_entropy, name='train_op')
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
    gradients=step_gradients,
  )


def build_optimizer(config: TrainConfig, learning_rate: tf.Tensor) -> tf.train.Optimizer:
  """The optimizer for the variables in the default graph; see `optimizers.build_optimizer`."""
  optimizer = optimizers.build_optimizer(
    config.optimizer, learning_rate, _decayed(config.optimizer)
  )
  return optimizers.scale_loss(optimizer) if config.runtime.precision == 'float16' else optimizer


def build_update(
  config: TrainConfig,
  optimizer: tf.train.Optimizer,
  step_gradients: gradients.Gradients,
  cross_entropy: tf.Tensor,
  global_step: tf.Variable,
  is_first: bool = True,
) -> tf.Operation:
  """Adds one update of variables, batch-norm statistics and `global_step`.

  The update fails if the cross-entropy is not finite. Weights and step are then unchanged, so that
  the step can be repeated and diagnosed.

  Args:
    config: config of the run.
    optimizer: its optimizer.
    step_gradients: gradients of the cross-entropy.
    cross_entropy: cross-entropy of the batch, float32 [].
    global_step: global step, int64 variable.
    is_first: whether this is the first replica, which adds weight decay to the sum of gradients.
  """
  settings = config.optimizer
  if not OPTIMIZERS[settings.optimizer].decays_weights and settings.weight_decay:
    in_update = settings.folds_decay or not is_first
    factor = 0.0 if in_update else settings.weight_decay
    step_gradients = gradients.add_decay(
      step_gradients, factor, {plain_name(variable) for variable in _decayed(settings)}
    )
  if settings.clip_gradient_norm is not None:
    step_gradients = gradients.clip(step_gradients, settings.clip_gradient_norm)
  is_finite = tf.debugging.check_numerics(cross_entropy, LOSS_CHECK)
  with tf.control_dependencies([is_finite, *tf.get_collection(tf.GraphKeys.UPDATE_OPS)]):
    update = optimizer.apply_gradients(step_gradients)
  # Not by the optimizer: with a loss scale it skips some updates, and would not count those steps.
  with tf.control_dependencies([update]):
    return global_step.assign_add(1).op


def _decayed(settings: OptimizerConfig) -> list[tf.Variable]:
  return weight_decay.select(tf.trainable_variables(), settings.weight_decay_on)


def trained_variables(trainable_scopes: Sequence[str]) -> list[tf.Variable]:
  """The trainable variables under `trainable_scopes`; all of them where it is empty.

  Raises:
    ConfigError: a scope matches no variable.
  """
  variables = tf.trainable_variables()
  if not trainable_scopes:
    return variables
  warm_start.check_scopes('trainable_scopes', trainable_scopes, [v.op.name for v in variables])
  return [v for v in variables if is_under(v.op.name, trainable_scopes)]


def _micro_batch_gradients(
  optimizer: tf.train.Optimizer,
  outputs: Forward,
  variables: Sequence[tf.Variable],
  total: int,
) -> gradients.Gradients:
  """Gradients of one micro-batch's share of the cross-entropy.

  Args:
    optimizer: optimizer that computes the gradients.
    outputs: forward pass of the micro-batch.
    variables: variables to train.
    total: number of micro-batches of all replicas.
  """
  loss = outputs.losses.cross_entropy
  found = optimizer.compute_gradients(loss if total == 1 else loss / total, variables)
  return blockwise.fill(found)


def _split(values: tf.Tensor, count: int) -> list[tf.Tensor]:
  return [values] if count == 1 else tf.split(values, count)


def _mean(values: Sequence[tf.Tensor]) -> tf.Tensor:
  return values[0] if len(values) == 1 else tf.add_n(values) / len(values)


def _batch_means(passes: Sequence[Forward], replica: Replica) -> tuple[losses.Losses, tf.Tensor]:
  """Losses and accuracy of the whole batch, averaged over the micro-batches of all replicas."""
  regularization = tf.debugging.check_numerics(passes[0].losses.regularization, LOSS_CHECK)
  if len(passes) * replica.count == 1:
    return passes[0].losses._replace(regularization=regularization), passes[0].accuracy
  cross_entropy = _mean([outputs.losses.cross_entropy for outputs in passes])
  accuracy = _mean([outputs.accuracy for outputs in passes])
  if replica.count > 1:
    means = cross_replica_mean(tf.stack([cross_entropy, accuracy]))
    cross_entropy, accuracy = tf.unstack(means)
  return losses.Losses(cross_entropy, regularization), accuracy


def _horizon(config: TrainConfig, steps_per_epoch: float) -> schedules.Horizon:
  batch_size = config.run.batch_size
  total_steps = config.run.total_steps(round(steps_per_epoch * batch_size))
  return schedules.Horizon(steps_per_epoch, total_steps, batch_size)


def _build_averages(
  config: TrainConfig, update: tf.Operation, global_step: tf.Variable
) -> tuple[tf.Operation, tf.Operation | None]:
  """Adds moving averages of all variables of the network, updated after each step.

  The decay is at most (1 + step) / (10 + step), so that early averages follow the variables.

  Returns:
    The update including the averages, and an operation that sets the averages to the variables;
    None for the latter if the config keeps no averages.
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
    pixels = graph.display(images[:_SAMPLES], config.preprocessing)
    return pixels, labels[:_SAMPLES]
