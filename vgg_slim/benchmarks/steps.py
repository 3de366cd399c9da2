"""This project's implementation of each workload: one graph and one session."""

from collections.abc import Callable
from typing import TypeAlias

from vgg_slim import sessions
from vgg_slim.benchmarks import synthetic, systems
from vgg_slim.benchmarks.workload import Workload
from vgg_slim.compat import tf
from vgg_slim.configs.config import TrainConfig
from vgg_slim.data import manifest as manifests
from vgg_slim.data.input import pipeline
from vgg_slim.nets import registry
from vgg_slim.nets.mode import Inference, Training
from vgg_slim.ops import cached_weights
from vgg_slim.training import graph, losses

RunBatch = Callable[[], None]
Fetches: TypeAlias = tf.Tensor | tf.Operation | list

# Packing the kernels pays off in a process that keeps serving images, but not in a cold start.
_FROZEN = ('forward',)


def build_step(workload: Workload) -> RunBatch:
  """Builds the graph of `workload`, opens its session and returns a function that runs one batch.

  Raises:
    ConfigError: no network can be built from the values of `workload`.
    DataError: `data_dir` holds no converted data set, or is not given.
    NotMeasuredError: the machine does not compute in the precision.
  """
  systems.check_precision(workload, bool(sessions.num_gpus()))
  if sessions.computed_precision(workload.precision) != workload.precision:
    raise systems.NotMeasuredError('this processor has no bfloat16 instructions')
  with tf.Graph().as_default():
    tf.set_random_seed(0)
    fetches, initializers = _BUILDERS[workload.what](workload)
    session = sessions.open_session(runtime=workload.runtime)
    session.run(tf.global_variables_initializer())
    session.run([tf.local_variables_initializer(), *initializers])
    cached_weights.fill(session)
    if workload.what in _FROZEN:
      fetches = cached_weights.freeze_kernels(session, fetches)
    # A callable looks up the fetches only once, which matters where a batch is short.
    return session.make_callable(fetches)


def _build_forward(workload: Workload) -> tuple[Fetches, list[tf.Operation]]:
  images, _ = synthetic.build_batch(workload)
  net = synthetic.train_config(workload).net
  outputs = registry.build_from_config(net, images, Inference.fast(workload.precision))
  return tf.nn.softmax(outputs.logits), []


def _build_forward_backward(workload: Workload) -> tuple[Fetches, list[tf.Operation]]:
  images, labels = synthetic.build_batch(workload)
  config = synthetic.train_config(workload)
  mode = Training(fast_cpu_conv=workload.precision == 'float32')
  outputs = registry.build_from_config(config.net, images, mode)
  loss = losses.build_losses(outputs.logits, labels).cross_entropy
  # Fetches the operations and not a group: grappler prunes what only a group depends on.
  return [gradient.op for gradient in tf.gradients(loss, tf.trainable_variables())], []


def _build_train_step(workload: Workload) -> tuple[Fetches, list[tf.Operation]]:
  images, labels = synthetic.build_batch(workload)
  ops = graph.build_train_graph(synthetic.train_config(workload), images, labels, 1.0)
  return ops.train_op, []


def _build_input(workload: Workload) -> tuple[Fetches, list[tf.Operation]]:
  _, batch = _build_pipeline(workload)
  # Fetches the operation, not its value: a training step does not copy the images to Python either.
  return batch.images.op, [batch.initializer]


def _build_end_to_end(workload: Workload) -> tuple[Fetches, list[tf.Operation]]:
  config, batch = _build_pipeline(workload)
  targets = batch.targets(config.net.num_classes)
  ops = graph.build_train_graph(config, batch.images, targets, 1.0)
  # The training loop fetches these values in every step.
  scalars = [ops.train_op, ops.accuracy, ops.learning_rate]
  return scalars, [batch.initializer]


def _build_pipeline(workload: Workload) -> tuple[TrainConfig, pipeline.Batch]:
  manifest = manifests.read_manifest(workload.data_set)
  config = synthetic.train_config(workload, manifest.rgb_mean)
  split = manifest.split('train')
  batch = pipeline.build_train_batch(
    manifests.shard_paths(workload.data_set, manifest, 'train'),
    split.num_examples,
    split.num_bytes,
    config.preprocessing,
    config.net.image_size,
    workload.batch_size,
    config.run.seed,
    uniform_pixels=manifest.uniform_pixels,
  )
  return config, batch


_BUILDERS = {
  'forward': _build_forward,
  'dense': _build_forward,
  'cold_start': _build_forward,
  'forward_backward': _build_forward_backward,
  'train_step': _build_train_step,
  'input': _build_input,
  'end_to_end': _build_end_to_end,
}
