"""The forward pass: network and loss of one micro-batch, built once per micro-batch and replica."""

from typing import NamedTuple

from vgg_slim.compat import tf
from vgg_slim.configs.config import TrainConfig
from vgg_slim.configs.optimizer import OPTIMIZERS
from vgg_slim.nets import registry
from vgg_slim.nets.mode import Training
from vgg_slim.ops.layers import DropoutSeed
from vgg_slim.training import losses
from vgg_slim.training.memory_plan import MemoryPlan


class Forward(NamedTuple):
  """Handles of one forward pass; scalars are float32 [].

  Attributes:
    losses: losses, see `losses.Losses`.
    accuracy: accuracy on these images, with dropout and augmentation.
    logits: logits, float32 [N, K].
    end_points: output of every layer of the network, by name.
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
  micro_batch: int = 0,
  sync_batch_norm: bool = False,
  plan: MemoryPlan | None = None,
) -> Forward:
  """Adds the training network, its weight decay and its loss to the default graph.

  A second call in the same variable scope with `reuse` shares the variables and adds no weight
  decay.

  Args:
    config: config of the run; only network, optimizer, seed and precision are used.
    images: preprocessed images, float32 [N, side, side, 3].
    labels: labels, int32 [N], or class weights, float32 [N, K], where images are mixed.
    global_step: global step, int64 variable.
    micro_batch: index of these images among the micro-batches of all replicas. Dropout drops the
      same units as it would in one pass over the whole batch.
    sync_batch_norm: whether to synchronize batch norm over replicas, see `mode.Training`.
    plan: division of the step; None for one that is not trained.
  """
  optimizer = config.optimizer
  plan = plan or MemoryPlan(optimizer.gradient_accumulation_steps)
  with tf.name_scope('dropout_seed'):
    numbers = tf.stack([tf.constant(config.run.seed, tf.int64), global_step])
  in_update = OPTIMIZERS[optimizer.optimizer].decays_weights
  mode = Training(
    dropout_seed=DropoutSeed(numbers, micro_batch),
    weight_decay=0.0 if in_update else optimizer.weight_decay,
    weight_decay_on=optimizer.weight_decay_on,
    trainable_scopes=config.fine_tune.trainable_scopes,
    sync_batch_norm=sync_batch_norm,
    num_updates=_updates_before(global_step, micro_batch, plan.micro_batches),
    fast_cpu_conv=config.runtime.precision == 'float32',
    stage_parts=plan.stage_parts,
    block_dtype=tf.as_dtype(config.runtime.precision) if plan.in_blocks else None,
  )
  outputs = registry.build_from_config(config.net, images, mode)
  return Forward(
    losses.build_losses(outputs.logits, labels, optimizer.label_smoothing, optimizer.class_weights),
    losses.build_accuracy(outputs.logits, labels),
    outputs.logits,
    outputs.end_points,
  )


def _updates_before(global_step: tf.Tensor, micro_batch: int, steps: int) -> tf.Tensor:
  """Number of earlier updates of a replica's moving statistics, one for each micro-batch.

  Args:
    global_step: global step, int64 [].
    micro_batch: index among the micro-batches of all replicas.
    steps: number of micro-batches of each replica in a training step.
  """
  with tf.name_scope('batch_norm_updates'):
    return global_step * steps + micro_batch % steps
