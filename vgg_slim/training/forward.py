"""Network and loss of some pictures: what every device has a copy of."""

from typing import NamedTuple

from vgg_slim.compat import tf
from vgg_slim.configs.config import TrainConfig
from vgg_slim.nets import registry
from vgg_slim.nets.mode import Training
from vgg_slim.ops.layers import DropoutSeed
from vgg_slim.training import losses


class Forward(NamedTuple):
  """Handles of one forward pass; scalars are float32 [].

  Attributes:
    losses: see `losses.Losses`.
    accuracy: of these pictures, with dropout and augmentation.
    logits: float32 [N, K].
    end_points: every layer of the network by name.
  """

  losses: losses.Losses
  accuracy: tf.Tensor
  logits: tf.Tensor
  end_points: dict[str, tf.Tensor]


def build_forward(
  config: TrainConfig,
  images: tf.Tensor,
  labels: tf.Tensor,
  global_step: tf.Variable,
  part: int = 0,
  sync_batch_norm: bool = False,
) -> Forward:
  """Adds the network in training, with its weight decay, and its loss to the default graph.

  Called again in the scope of the same variables with `reuse`, it shares them, and leaves the
  weight decay as it is.

  Args:
    config: network, optimizer, seed and precision are used.
    images: float32 [N, side, side, 3], preprocessed.
    labels: int32 [N], or float32 [N, K] where pictures are mixed.
    global_step: int64 variable.
    part: index of these images among the equal parts of the step's batch, so that the units are
      dropped that would be dropped in one pass over the whole batch.
    sync_batch_norm: see `mode.Training`.
  """
  optimizer = config.optimizer
  with tf.name_scope('dropout_seed'):
    numbers = tf.stack([tf.constant(config.run.seed, tf.int64), global_step])
  in_loss = () if optimizer.optimizer == 'adamw' else optimizer.weight_decay_on
  is_first = not tf.get_variable_scope().reuse
  mode = Training(
    dropout_seed=DropoutSeed(numbers, part),
    weight_decay=optimizer.weight_decay if 'weights' in in_loss else 0.0,
    trainable_scopes=config.fine_tune.trainable_scopes,
    sync_batch_norm=sync_batch_norm,
    num_updates=_updates_before(global_step, part, optimizer.gradient_accumulation_steps),
    fast_cpu_conv=config.runtime.precision == 'float32',
  )
  outputs = registry.build_from_config(config.net, images, mode)
  others = [kind for kind in in_loss if kind != 'weights']  # the network's layers know these alone
  if is_first and others and optimizer.weight_decay:
    variables = losses.of_kinds(tf.trainable_variables(), others)
    losses.collect_weight_decay(variables, optimizer.weight_decay)
  return Forward(
    losses.build_losses(outputs.logits, labels, optimizer.label_smoothing),
    losses.build_accuracy(outputs.logits, labels),
    outputs.logits,
    outputs.end_points,
  )


def _updates_before(global_step: tf.Tensor, part: int, parts_per_step: int) -> tf.Tensor:
  """How often a replica updated its moving statistics before: once for each part of a step."""
  with tf.name_scope('batch_norm_updates'):
    return global_step * parts_per_step + part % parts_per_step
