"""The training loop: the one session of this package."""

import contextlib
import dataclasses
import functools
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from vgg_slim import memory, sessions
from vgg_slim.compat import slim, tf
from vgg_slim.config import TrainConfig, write_train_config
from vgg_slim.data import manifest as manifests
from vgg_slim.data import pipeline, records
from vgg_slim.data.manifest import Manifest
from vgg_slim.errors import ConfigError
from vgg_slim.nets import specs
from vgg_slim.training import (
  diagnosis,
  distribution,
  forward,
  graph,
  history,
  interrupts,
  preflight,
  progress,
  standard_hooks,
  warm_start,
)
from vgg_slim.training.checkpointing import Checkpointer
from vgg_slim.training.cluster import Cluster
from vgg_slim.training.epochs import Epochs
from vgg_slim.training.hooks import EpochEnd, Hook, Step, Validation
from vgg_slim.weights import checkpoints

_LABELS_LOOKED_AT = 50_000  # before step 0: 2 s of one core

EvaluateFn = Callable[[str], Validation]


@dataclasses.dataclass(frozen=True)
class TrainResult:
  """Where training ended.

  Attributes:
    step: global step of the last checkpoint.
    total_steps: the step at which training is complete.
    checkpoint: prefix of that checkpoint.
    stopped_by: 'SIGINT', 'SIGTERM', 'Another worker' or None.
    validation: of the last epoch end in this process, or None.
    ended_early: why it ended before `total_steps` by its own rules, or None.
  """

  step: int
  total_steps: int
  checkpoint: str
  stopped_by: str | None = None
  validation: Validation | None = None
  ended_early: str | None = None


def run_training(
  config: TrainConfig,
  manifest: Manifest,
  train_dir: str,
  evaluate_fn: EvaluateFn | None,
  reporter: progress.Reporter,
  cluster: Cluster | None = None,
  summarize_validation: Callable[[], tf.Summary] | None = None,
) -> TrainResult:
  """Trains from the newest checkpoint in `train_dir`, or from step 0, to the configured end.

  A checkpoint is written after every epoch, every `save_every_steps`, at the end, and after SIGINT
  or SIGTERM; `evaluate_fn` is called with the checkpoint of every epoch's end.

  Args:
    config: the run; `config.data_dir` holds the data set.
    manifest: of that data set.
    train_dir: is made, and given `config.json`, checkpoints, `metrics.csv` and event files.
    evaluate_fn: validates a checkpoint; None for no validation.
    reporter: is given the progress lines.
    cluster: the workers that train together, or None for this process alone. All of them are given
      the same `train_dir`; the chief alone writes to it.
    summarize_validation: what TensorBoard shows of the last validation besides its numbers.

  Raises:
    TrainingError: there is too little memory, or the loss is no longer finite; the first tensor
      that is not is named.
    DataError: a record is damaged.
    CheckpointError: the newest checkpoint is of another network, or `checkpoint_path` does not fit.
    ConfigError: a scope of `config.fine_tune` matches nothing, there is no validation to follow, or
      there are too few devices.
    WorkerLostError: another worker is gone.
  """
  epochs = Epochs(manifest.split('train').num_examples, config.run.batch_size)
  total_steps = config.run.total_steps(epochs.num_examples)
  newest = checkpoints.latest_checkpoint(train_dir)
  start_step = checkpoints.global_step(newest) if newest else 0
  if start_step >= total_steps and history.has_row(train_dir, start_step):
    return TrainResult(start_step, total_steps, newest)
  check_data = functools.partial(
    records.check_records,
    manifests.shard_paths(config.data_dir, manifest, 'train'),
    manifest.num_classes,
  )
  if not newest:
    check_data(limit=_LABELS_LOOKED_AT // len(manifest.split('train').shards) + 1)
  free = memory.available_bytes()
  if free is not None and not sessions.num_gpus():
    preflight.check_memory(config, free)
  with tf.Graph().as_default(), contextlib.ExitStack() as stack:
    spread = distribution.create(
      config.distribution, cluster, sessions.session_config(config.runtime)
    )
    spread.check_batch(config.run.batch_size, config.optimizer.gradient_accumulation_steps)
    stack.enter_context(spread.strategy.scope())
    own_dir = stack.enter_context(spread.own_folder(train_dir))
    tf.set_random_seed(config.run.seed)
    batch = _build_input(config, manifest, start_step, spread.share)
    targets = batch.targets(config.net.num_classes)
    steps_per_epoch = epochs.num_examples / epochs.batch_size
    ops = graph.build_train_graph(config, batch.images, targets, steps_per_epoch, spread)
    hooks = standard_hooks.build_hooks(
      config, ops, own_dir, epochs, total_steps, reporter, summarize_validation
    )
    follows_validation = any(hook.needs_validation for hook in hooks)
    if follows_validation and evaluate_fn is None:
      raise ConfigError(
        '--learning_rate_decay_type=plateau, --keep_best and --early_stop_patience follow the '
        f'validation, and {config.data_dir} has no validation split.'
      )
    agreement = distribution.Agreement(spread)
    if newest:
      checkpoints.check_fits(newest, checkpoints.stored_names(tf.global_variables()))
      reporter.line(f'Resuming from {newest}.')
    checkpointer = Checkpointer(config, own_dir)
    scaffold = tf.train.Scaffold(
      saver=checkpointer.saver,
      local_init_op=tf.group(tf.local_variables_initializer(), batch.initializer),
      init_fn=None if newest else _build_init_fn(config, ops, reporter),
    )
    # Not before the graph stands: a mistake in the flags leaves no train_dir behind.
    os.makedirs(own_dir, exist_ok=True)
    write_train_config(own_dir, config)
    loop = _Loop(config, ops, hooks, checkpointer, epochs, evaluate_fn, agreement)
    ends_here = epochs.ends(start_step) or start_step >= total_steps
    is_owed = follows_validation or not history.has_row(train_dir, start_step)
    unfinished = newest if ends_here and is_owed else None
    build_loss = functools.partial(_build_loss, config, manifest)
    with (
      interrupts.stop_on_signals() as stop,
      _explained_session(spread, scaffold, train_dir, check_data, build_loss) as session,
    ):
      return loop.run(session, start_step, total_steps, stop, unfinished)


@contextlib.contextmanager
def _explained_session(
  spread: distribution.Distribution,
  scaffold: tf.train.Scaffold,
  train_dir: str,
  check_data: Callable[[], None],
  build_loss: Callable[[int], tuple[tf.Tensor, tf.Operation]],
) -> Iterator[tf.Session]:
  """The session of the run; within the block TensorFlow's errors become those of `run_training`."""
  with (
    spread.losses_of_workers(),
    diagnosis.data_explained(check_data),
    tf.train.SingularMonitoredSession(
      scaffold=scaffold,
      master=spread.master,
      config=spread.session_config,
      checkpoint_dir=train_dir,
    ) as monitored,
    diagnosis.explained(monitored.raw_session(), build_loss),
  ):
    yield monitored.raw_session()


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
    )


def _build_loss(
  config: TrainConfig, manifest: Manifest, step: int
) -> tuple[tf.Tensor, tf.Operation]:
  """The loss of the batch that follows `step`, and what starts its input; for a diagnosis."""
  batch = _build_input(config, manifest, step)
  start = tf.train.get_or_create_global_step()
  targets = batch.targets(config.net.num_classes)
  passed = forward.build_forward(config, batch.images, targets, start)
  return passed.losses.total, batch.initializer


def _build_init_fn(
  config: TrainConfig, ops: graph.TrainOps, reporter: progress.Reporter
) -> Callable[[tf.train.Scaffold, tf.Session], None] | None:
  """What a new run restores at step 0; the report is printed here, before the first step."""
  fine_tune = config.fine_tune
  if fine_tune.checkpoint_path is None:
    return None
  spec = specs.get(config.net.model)
  warm_start.check_contract(config)
  plan, saver = warm_start.build_warm_start(slim.get_model_variables(), spec, fine_tune)
  reporter.line(f'Starting from {fine_tune.checkpoint_path}.')
  reporter.line(plan.text())

  def restore(scaffold: tf.train.Scaffold, session: tf.Session) -> None:
    saver.restore(session, fine_tune.checkpoint_path)
    if ops.start_averages is not None:
      session.run(ops.start_averages)

  return restore


class _Loop:
  """Steps, checkpoints and epoch ends in their order; everything else is done by hooks."""

  def __init__(
    self,
    config: TrainConfig,
    ops: graph.TrainOps,
    hooks: Sequence[Hook],
    checkpointer: Checkpointer,
    epochs: Epochs,
    evaluate_fn: EvaluateFn | None,
    agreement: distribution.Agreement,
  ) -> None:
    self._ops, self._hooks, self._epochs = ops, hooks, epochs
    self._checkpointer, self._agreement = checkpointer, agreement
    self._save_every_steps, self._evaluate_fn = config.run.save_every_steps, evaluate_fn

  def run(
    self,
    session: tf.Session,
    start_step: int,
    total_steps: int,
    stop: interrupts.StopRequest,
    unfinished: str | None,
  ) -> TrainResult:
    """Runs from `start_step` on.

    Args:
      session: with all variables initialised or restored.
      start_step: its global step.
      total_steps: the last step.
      stop: ends the run after the step under way.
      unfinished: the checkpoint of `start_step` where its epoch end has to be made again.
    """
    self._agreement.check_same(session, start_step)
    step, checkpoint, validation = start_step, unfinished, None
    with contextlib.ExitStack() as stack:
      for hook in self._hooks:
        stack.callback(hook.close)
        hook.begin(session, start_step)
      if unfinished:
        validation = self._end_epoch(session, step, unfinished)
      while step < total_steps and not self._is_over(session, stop):
        step += 1
        self._step(session, step)
        checkpoint = None
        if self._epochs.ends(step) or step == total_steps:
          checkpoint = self._save(session, step)
          validation = self._end_epoch(session, step, checkpoint)
        elif step % self._save_every_steps == 0:
          checkpoint = self._save(session, step)
      checkpoint = checkpoint or self._save(session, step)
    stopped_by, reason = stop.signal_name, self._stop_reason()
    if step < total_steps and not (stopped_by or reason):
      stopped_by = 'Another worker'
    return TrainResult(step, total_steps, checkpoint, stopped_by, validation, reason)

  def _step(self, session: tf.Session, step: int) -> None:
    ops = self._ops
    scalars = {
      'loss': ops.losses.cross_entropy,
      'weight_decay': ops.losses.regularization,
      'total_loss': ops.train_op,
      'accuracy': ops.accuracy,
      'learning_rate': ops.learning_rate,
    }
    fetches = [scalars, [hook.fetches(step) for hook in self._hooks]]
    values, fetched = self._run(session, step, fetches)
    made = Step(step, {tag: float(value) for tag, value in values.items()})
    for hook, values in zip(self._hooks, fetched, strict=True):
      hook.after_step(made, values)

  def _run(self, session: tf.Session, step: int, fetches: Any) -> Any:
    tracers = [hook for hook in self._hooks if hook.wants_trace(step)]
    if not tracers:
      return session.run(fetches)
    metadata = tf.RunMetadata()
    options = tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE)
    values = session.run(fetches, options=options, run_metadata=metadata)
    for hook in tracers:
      hook.after_trace(step, metadata)
    return values

  def _save(self, session: tf.Session, step: int) -> str:
    for hook in self._hooks:
      hook.before_save(session)
    return self._checkpointer.save(session, step)

  def _end_epoch(self, session: tf.Session, step: int, checkpoint: str) -> Validation | None:
    validation = self._evaluate_fn(checkpoint) if self._evaluate_fn else None
    if validation:
      validation = self._agreement.on_validation(session, validation)
    end = EpochEnd(step, checkpoint, self._epochs.ends(step), validation)
    for hook in self._hooks:
      hook.after_epoch(session, end)
    return validation

  def _is_over(self, session: tf.Session, stop: interrupts.StopRequest) -> bool:
    return self._agreement.any(session, bool(stop.signal_name or self._stop_reason()))

  def _stop_reason(self) -> str | None:
    return next((hook.stop_reason for hook in self._hooks if hook.stop_reason), None)
