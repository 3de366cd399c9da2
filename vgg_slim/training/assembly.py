"""Builds a run from its config: the graph, the hooks, and what saves and restores it."""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

from vgg_slim.checkpoints import search
from vgg_slim.compat import slim, tf
from vgg_slim.configs.config import TrainConfig
from vgg_slim.data import manifest as manifests
from vgg_slim.data.input import pipeline
from vgg_slim.data.manifest import Manifest
from vgg_slim.nets import specs
from vgg_slim.reporting import Reporter
from vgg_slim.training import forward, graph, warm_start
from vgg_slim.training.distribution import Agreement, Distribution
from vgg_slim.training.epochs import Epochs
from vgg_slim.training.hooks import host_state, standard_hooks
from vgg_slim.training.hooks.base import Hook
from vgg_slim.training.hooks.checkpointing import Checkpointer
from vgg_slim.training.starts import Start
from vgg_slim.training.variable_release import VariableRelease


class Assembly(NamedTuple):
  """A run that is complete except for its session.

  Attributes:
    epochs: positions at which the epochs of the run end.
    total_steps: global step at which the run is complete.
    ops: handles of the training graph.
    hooks: hooks of the run, in the order in which they are called.
    agreement: exchange of numbers between the workers.
    checkpointer: writer of checkpoints with all variables of the graph.
    scaffold: TensorFlow's scaffold, which initializes or restores the variables.
    build_loss: function that adds the loss of the step after the given one to the default graph,
      and returns it with the operation that initializes its input; used to diagnose a failed step.
    release: what frees the memory of the variables during a validation; None if they stay.
  """

  epochs: Epochs
  total_steps: int
  ops: graph.TrainOps
  hooks: Sequence[Hook]
  agreement: Agreement
  checkpointer: Checkpointer
  scaffold: tf.train.Scaffold
  build_loss: Callable[[int], tuple[tf.Tensor, tf.Operation]]
  release: VariableRelease | None

  @property
  def follows_validation(self) -> bool:
    """Whether the run depends on validation results."""
    return any(hook.needs_validation for hook in self.hooks)


def build_assembly(
  config: TrainConfig,
  manifest: Manifest,
  start: Start,
  folder: str,
  distribution: Distribution,
  reporter: Reporter,
  summarize_validation: Callable[[], tf.Summary] | None,
) -> Assembly:
  """Adds the whole run to the default graph; call it in the scope of the distribution's strategy.

  Args:
    config: config of the run.
    manifest: manifest of its data set.
    start: checkpoint from which the run starts, if any.
    folder: folder for the files of this process.
    distribution: devices and workers of the run.
    reporter: receiver of the progress lines, and the report of a warm start.
    summarize_validation: function that returns a TensorBoard summary of the last validation, shown
      in addition to loss and accuracy.

  Raises:
    CheckpointError: the checkpoint of `start` or of `config.fine_tune` does not fit.
    ConfigError: a scope of `config.fine_tune` matches no variable.
  """
  run = config.run
  epochs = Epochs(manifest.split('train').num_examples, run.batch_size, run.validate_every_epochs)
  total_steps = run.total_steps(epochs.num_examples)
  batch, ops = build_step(config, manifest, start.step, distribution)
  hooks = standard_hooks.build_hooks(
    config, ops, folder, epochs, total_steps, reporter, summarize_validation
  )
  agreement = Agreement(distribution)
  if start.checkpoint:
    names = search.stored_names(tf.global_variables())
    search.check_fits(start.checkpoint, names, host_state.SCOPE)
  checkpointer = Checkpointer(config, folder, start)
  scaffold = tf.train.Scaffold(
    saver=checkpointer.saver,
    local_init_op=tf.group(tf.local_variables_initializer(), batch.initializer),
    init_fn=None if start.checkpoint else build_init_fn(config, ops, reporter),
  )
  build_loss = functools.partial(_build_loss, config, manifest)
  # Of workers it was not tried: they read their variables together.
  releases = config.runtime.memory_budget is not None and not tf.distribute.has_strategy()
  release = VariableRelease() if releases else None
  return Assembly(
    epochs, total_steps, ops, hooks, agreement, checkpointer, scaffold, build_loss, release
  )


def build_step(
  config: TrainConfig, manifest: Manifest, start_step: int, distribution: Distribution
) -> tuple[pipeline.Batch, graph.TrainOps]:
  """Adds input and training step of a run to the default graph, without hooks and files.

  Args:
    config: config of the run.
    manifest: manifest of its data set.
    start_step: global step after which the input starts.
    distribution: devices and workers of the run.
  """
  batch = _build_input(config, manifest, start_step, distribution.share)
  targets = batch.targets(config.net.num_classes)
  steps_per_epoch = manifest.split('train').num_examples / config.run.batch_size
  ops = graph.build_train_graph(config, batch.images, targets, steps_per_epoch, distribution)
  return batch, ops


def _build_input(
  config: TrainConfig, manifest: Manifest, start_step: int, share: tuple[int, int] = (0, 1)
) -> pipeline.Batch:
  split = manifest.split('train')
  with tf.name_scope('input'):
    return pipeline.build_train_batch(
      manifests.shard_paths(config.data_dir, manifest, 'train'),
      split.num_examples,
      split.num_bytes,
      config.preprocessing,
      config.net.image_size,
      config.run.batch_size,
      config.run.seed,
      start_step,
      share,
      uniform_pixels=manifest.uniform_pixels,
      balanced_counts=split.examples_per_class if config.run.balanced_batches else None,
    )


def _build_loss(
  config: TrainConfig, manifest: Manifest, step: int
) -> tuple[tf.Tensor, tf.Operation]:
  batch = _build_input(config, manifest, step)
  global_step = tf.train.get_or_create_global_step()
  targets = batch.targets(config.net.num_classes)
  outputs = forward.build_forward(config, batch.images, targets, global_step)
  return outputs.losses.cross_entropy, batch.initializer


def build_init_fn(
  config: TrainConfig, ops: graph.TrainOps, reporter: Reporter
) -> Callable[[tf.train.Scaffold, tf.Session], None] | None:
  """Returns a function that warm-starts a new run, or None for a run from initial values.

  The report of what is restored is printed here, before the first step.
  """
  fine_tune = config.fine_tune
  checkpoint = fine_tune.checkpoint_path
  if checkpoint is None:
    return None
  spec = specs.get(config.net.model)
  warm_start.check_contract(config)
  plan, saver = warm_start.build_warm_start(slim.get_model_variables(), spec, fine_tune)
  search.check_intact(checkpoint)
  reporter.line(f'Starting from {checkpoint}.')
  reporter.line(plan.text())

  def restore(scaffold: tf.train.Scaffold, session: tf.Session) -> None:
    search.restore(saver, session, checkpoint)
    if ops.start_averages is not None:
      session.run(ops.start_averages)

  return restore
