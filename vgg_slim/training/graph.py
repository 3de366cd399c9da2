"""The training graph: network, losses, schedule, momentum, a look at the pictures."""

from collections.abc import Sequence
from typing import NamedTuple

from vgg_slim.compat import tf
from vgg_slim.config import TrainConfig
from vgg_slim.data import image_ops
from vgg_slim.nets import registry
from vgg_slim.ops.scopes import is_under
from vgg_slim.training import losses, schedules, warm_start

_SUMMARY_PICTURES = 8


class TrainOps(NamedTuple):
  """Handles of the training graph; scalars are float32 [].

  Attributes:
    train_op: one step: momentum update and batch-norm averages; yields the loss before the step.
    losses: see `losses.Losses`.
    accuracy: of the batch, with dropout and augmentation.
    learning_rate: of this step.
    global_step: int64 variable.
    image_summary: string [], of pictures as the network sees them.
  """

  train_op: tf.Tensor
  losses: losses.Losses
  accuracy: tf.Tensor
  learning_rate: tf.Tensor
  global_step: tf.Variable
  image_summary: tf.Tensor


def build_train_graph(
  config: TrainConfig, images: tf.Tensor, labels: tf.Tensor, steps_per_epoch: float
) -> TrainOps:
  """Adds the training graph to the default graph; runs nothing.

  Args:
    config: network, optimizer and seed are used.
    images: float32 [N, side, side, 3], preprocessed.
    labels: int32 [N].
    steps_per_epoch: training pictures over batch size.
  """
  optimizer = config.optimizer
  global_step = tf.train.get_or_create_global_step()
  with tf.name_scope('dropout_seed'):
    dropout_seed = tf.stack([tf.constant(config.run.seed, tf.int64), global_step])
  outputs = registry.build_from_config(
    config.net,
    images,
    is_training=True,
    dropout_seed=dropout_seed,
    weight_decay=optimizer.weight_decay,
    trainable_scopes=config.fine_tune.trainable_scopes,
  )
  step_losses = losses.build_losses(outputs.logits, labels)
  accuracy = losses.build_accuracy(outputs.logits, labels)
  with tf.name_scope('train'):
    learning_rate = schedules.build_learning_rate(optimizer, global_step, steps_per_epoch)
    momentum = tf.train.MomentumOptimizer(learning_rate, optimizer.momentum)
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
      update = momentum.minimize(
        step_losses.total, global_step, _trained_variables(config.fine_tune.trainable_scopes)
      )
    with tf.control_dependencies([update]):
      train_op = tf.identity(step_losses.total, name='train_op')
  return TrainOps(
    train_op=train_op,
    losses=step_losses,
    accuracy=accuracy,
    learning_rate=learning_rate,
    global_step=global_step,
    image_summary=_build_image_summary(images, config),
  )


def _trained_variables(trainable_scopes: Sequence[str]) -> list[tf.Variable]:
  variables = tf.trainable_variables()
  if not trainable_scopes:
    return variables
  warm_start.check_scopes('trainable_scopes', trainable_scopes, [v.op.name for v in variables])
  return [v for v in variables if is_under(v.op.name, trainable_scopes)]


def _build_image_summary(images: tf.Tensor, config: TrainConfig) -> tf.Tensor:
  with tf.name_scope('pictures'):
    preprocessing = config.preprocessing
    seen = image_ops.denormalize(
      images[:_SUMMARY_PICTURES], preprocessing.rgb_mean, preprocessing.pixel_scale
    )
    return tf.summary.image('input', seen, max_outputs=_SUMMARY_PICTURES)
