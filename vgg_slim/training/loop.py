"""The training loop: decides where a run starts, builds it, and runs its session."""

import contextlib
import dataclasses
import functools
import os
from collections.abc import Callable, Iterator
from typing import Any

from vgg_slim import files, locks, memory, sessions
from vgg_slim.checkpoints import prefixes
from vgg_slim.compat import tf
from vgg_slim.configs import resuming
from vgg_slim.configs.config import TrainConfig, read_train_config, write_train_config
from vgg_slim.data import manifest as manifests
from vgg_slim.data import records
from vgg_slim.data.manifest import Manifest
from vgg_slim.errors import ConfigError, NonFiniteError, TrainingError
from vgg_slim.reporting import Reporter
from vgg_slim.training import assembly, diagnosis, memory_plan, preflight, starts
from vgg_slim.training.assembly import Assembly
from vgg_slim.training.cluster import Cluster
from vgg_slim.training.distribution import Distribution, create_distribution
from vgg_slim.training.hooks import interrupts, selection
from vgg_slim.training.hooks.base import EpochEnd, Step, Validation
from vgg_slim.training.starts import Start

_RECORDS_CHECKED = 50_000  # before step 0; takes 2 s on one core

EvaluateFn = Callable[[str], Validation]


@dataclasses.dataclass(frozen=True)
class TrainResult:
  """State of the run at the end of training.

  Attributes:
    step: global step of the last checkpoint.
    total_steps: global step at which training is complete.
    checkpoint: prefix of the last checkpoint.
    stopped_by: cause of an interruption: 'SIGINT', 'SIGTERM', 'Another worker' or None; a signal
      may come in the last step, when the run `is_complete`.
    validation: validation at the last end of an epoch in this process, or None.
    ended_early: reason why a hook ended the run before `total_steps`, or None.
  """

  step: int
  total_steps: int
  checkpoint: str
  stopped_by: str | None = None
  validation: Validation | None = None
  ended_early: str | None = None

  @property
  def is_complete(self) -> bool:
    """Whether nothing of the run is left to train."""
    return self.step >= self.total_steps or self.ended_early is not None


def run_training(
  config: TrainConfig,
  manifest: Manifest,
  train_dir: str,
  evaluate_fn: EvaluateFn | None,
  reporter: Reporter,
  cluster: Cluster | None = None,
  summarize_validation: Callable[[], tf.Summary] | None = None,
  overwrite: bool = False,
) -> TrainResult:
  """Trains from the newest intact checkpoint in `train_dir`, or from step 0, to the configured end.

  A checkpoint is written after every `validate_every_epochs` epochs, every `save_every_steps`
  steps, at the end, and after SIGINT or SIGTERM. `evaluate_fn` is called with the checkpoints that
  are written after epochs and at the end.

  Args:
    config: config of the run; `config.data_dir` holds the data set.
    manifest: manifest of that data set.
    train_dir: folder of the run, created if necessary, for `config.json`, checkpoints,
      `metrics.csv` and event files.
    evaluate_fn: function that validates a checkpoint; None for no validation.
    reporter: receiver of the progress lines.
    cluster: workers that train together, or None for this process alone. All of them get the same
      `train_dir`, to which only the chief writes.
    summarize_validation: function that returns a TensorBoard summary of the last validation, shown
      in addition to loss and accuracy.
    overwrite: whether to remove the run in `train_dir` and start at step 0.

  Raises:
    FolderInUseError: another process is training in `train_dir`.
    TrainingError: there is too little memory, the disk is full, or the loss is not finite; for the
      latter the message names the first tensor that is not.
    DataError: a record is damaged.
    CheckpointError: the checkpoints in `train_dir` are damaged or belong to another network, its
      run cannot be resumed with `config`, or `checkpoint_path` does not fit.
    OutputError: TensorFlow would not find a checkpoint in a folder of this name.
    ConfigError: a scope of `config.fine_tune` matches no variable, the config needs validations but
      there are none, or there are too few devices.
    WorkerLostError: another worker is gone.
  """
  prefixes.check_output(train_dir, 'train_dir')
  starts.check_is_not_best_folder(train_dir)
  if overwrite:
    _check_source_stays(config.fine_tune.checkpoint_path, train_dir)
  is_chief = cluster is None or cluster.index == 0
  with locks.hold(train_dir) if is_chief else contextlib.nullcontext():
    start = starts.decide(train_dir, overwrite)
    if start.checkpoint:
      # Only now that the folder is locked: another process may have trained there a moment ago.
      recorded = read_train_config(train_dir)
      for line in resuming.compare(recorded, config, train_dir):
        reporter.line(line)
    total_steps = config.run.total_steps(manifest.split('train').num_examples)
    if start.checkpoint and start.step >= total_steps and start.is_recorded:
      if is_chief and recorded.data_dir != config.data_dir:
        _record(train_dir, dataclasses.replace(recorded, data_dir=config.data_dir))
      return TrainResult(start.step, total_steps, start.checkpoint)
    workers = len(cluster.workers) if cluster else 1
    plan = memory_plan.choose(config, workers * config.distribution.num_devices)
    if chosen := memory_plan.describe(config, plan):
      reporter.line(chosen)
    check_data = functools.partial(
      records.check_records,
      manifests.shard_paths(config.data_dir, manifest, 'train'),
      manifest.num_classes,
    )
    if not start.checkpoint:
      reporter.phase('reading', 'Checking the first records of the data set')
      _check_first_records(config.data_dir, manifest)
    free = memory.available_bytes()
    if free is not None and not sessions.num_gpus():
      preflight.check_memory(config, free, plan.micro_batches, plan.stage_parts)
    reporter.phase('building', f'Building the graph of {config.net.model}')
    with tf.Graph().as_default(), contextlib.ExitStack() as stack:
      distribution = create_distribution(
        config.distribution, cluster, sessions.session_config(config.runtime)
      )
      distribution.check_batch(config.run.batch_size, plan.micro_batches)
      stack.enter_context(distribution.strategy.scope())
      own_dir = stack.enter_context(distribution.own_folder(train_dir))
      tf.set_random_seed(config.run.seed)
      built = assembly.build_assembly(
        config, manifest, start, own_dir, distribution, reporter, summarize_validation
      )
      if built.follows_validation and evaluate_fn is None:
        raise ConfigError(
          '--learning_rate_decay_type=plateau, --keep_best and --early_stop_patience need '
          f'validations, but {config.data_dir} has no validation split.'
        )
      # Only after the graph is built, so that a mistake in the flags changes nothing in the folder.
      _prepare_folder(own_dir, config, start, overwrite, built, reporter)
      reporter.phase(
        'starting',
        'Restoring the variables' if start.checkpoint else 'Initializing the variables',
        is_brief=True,
      )
      session = stack.enter_context(_open_session(built, distribution, start, check_data))
      stop = stack.enter_context(interrupts.stop_on_signals())
      result = _Loop(config, built, evaluate_fn, reporter).run(session, start, stop)
      # The session waits for images that are being decoded ahead.
      reporter.phase('closing', 'Stopping the input pipeline and closing the session')
    reporter.clear()
    return result


def _check_first_records(data_dir: str, manifest: Manifest) -> None:
  """Raises DataError if the first records of a split that the run reads have a fault."""
  for split in sorted({'train', 'validation'} & manifest.splits.keys()):
    limit = _RECORDS_CHECKED // len(manifest.split(split).shards) + 1
    shards = manifests.shard_paths(data_dir, manifest, split)
    records.check_records(shards, manifest.num_classes, limit)


def _check_source_stays(checkpoint_path: str | None, train_dir: str) -> None:
  if checkpoint_path and files.is_inside(checkpoint_path, train_dir):
    raise ConfigError(
      f'--overwrite would remove --checkpoint_path={checkpoint_path}, from which the new run '
      'starts; give another --train_dir.'
    )


def _prepare_folder(
  folder: str,
  config: TrainConfig,
  start: Start,
  overwrite: bool,
  built: Assembly,
  reporter: Reporter,
) -> None:
  """Prepares the folder: removes what the run does not need, and writes its config."""
  if overwrite:
    removed = [os.path.relpath(path, folder) for path in starts.list_run_files(folder)]
    if removed:
      reporter.line(f'--overwrite removes from {folder}: {", ".join(removed)}.')
    starts.remove_run(folder)
  for line in start.lines():
    reporter.line(line)
  prefixes.remove_leftovers(folder)
  built.checkpointer.repair()
  _record(folder, config)


def _record(folder: str, config: TrainConfig) -> None:
  """Writes the config of a run, also to the folder of its best checkpoint."""
  write_train_config(folder, config)
  selection.renew_config(folder)


@contextlib.contextmanager
def _open_session(
  built: Assembly,
  distribution: Distribution,
  start: Start,
  check_data: Callable[[], None],
) -> Iterator[tf.Session]:
  """Opens the session; within the block TensorFlow's errors become those of `run_training`."""
  with (
    distribution.explain_worker_loss(),
    diagnosis.explain_data_errors(check_data),
    tf.train.SingularMonitoredSession(
      scaffold=built.scaffold,
      master=distribution.master,
      config=distribution.session_config,
      # Not the folder, whose state file TensorFlow would follow to checkpoints that are damaged.
      checkpoint_filename_with_path=start.checkpoint,
    ) as monitored,
    diagnosis.explain_non_finite_loss(
      monitored.raw_session(), built.build_loss, built.checkpointer.describe_recovery
    ),
  ):
    yield monitored.raw_session()


class _Loop:
  """Runs steps, checkpoints and ends of epochs; hooks do everything else."""

  def __init__(
    self,
    config: TrainConfig,
    built: Assembly,
    evaluate_fn: EvaluateFn | None,
    reporter: Reporter,
  ) -> None:
    self._built, self._evaluate_fn, self._reporter = built, evaluate_fn, reporter
    self._config = config.run

  def run(self, session: tf.Session, start: Start, stop: interrupts.StopRequest) -> TrainResult:
    """Runs the steps after `start`.

    Args:
      session: session with all variables initialized or restored.
      start: checkpoint from which they were restored, if any.
      stop: request that ends the run after the current step.
    """
    built, total_steps = self._built, self._built.total_steps
    built.agreement.check_same(session, start.step)
    step, checkpoint, validation = start.step, start.checkpoint, None
    with contextlib.ExitStack() as stack:
      for hook in built.hooks:
        stack.callback(hook.close)
        hook.begin(session, start.step)
      if start.checkpoint and self._must_repeat_epoch_end(start):
        validation = self._end_epoch(session, step, start.checkpoint)
      self._reporter.phase(
        'first step', 'First step: TensorFlow plans the memory, which takes longer than a step'
      )
      while step < total_steps and not self._is_over(session, stop):
        step += 1
        self._step(session, step)
        checkpoint = None
        if built.epochs.ends(step) or step == total_steps:
          checkpoint = self._save(session, step)
          validation = self._end_epoch(session, step, checkpoint)
        elif step % self._config.save_every_steps == 0:
          checkpoint = self._save(session, step)
      checkpoint = checkpoint or self._save(session, step)
      stopped_by, reason = stop.signal_name, self._stop_reason()
      if step < total_steps and not (stopped_by or reason):
        stopped_by = 'Another worker'
      result = TrainResult(step, total_steps, checkpoint, stopped_by, validation, reason)
      for hook in built.hooks if result.is_complete else ():
        hook.after_run()
    return result

  def _must_repeat_epoch_end(self, start: Start) -> bool:
    """Whether the run starts at the end of an epoch whose hooks have to be called again."""
    if not self._built.epochs.ends(start.step) and start.step < self._built.total_steps:
      return False
    return self._built.follows_validation or not start.is_recorded

  def _step(self, session: tf.Session, step: int) -> None:
    ops = self._built.ops
    # Before the step, whose update does not wait for it.
    is_logged = self._config.logs(step, self._built.total_steps)
    decay = session.run(ops.losses.regularization) if is_logged else None
    scalars = {
      'loss': ops.train_op,
      'accuracy': ops.accuracy,
      'learning_rate': ops.learning_rate,
    }
    fetches = [scalars, [hook.fetches(step) for hook in self._built.hooks]]
    values, fetched = self._run(session, step, fetches)
    if decay is not None:
      values |= {'weight_decay': decay, 'total_loss': values['loss'] + decay}
    completed = Step(step, {tag: float(value) for tag, value in values.items()})
    for hook, values in zip(self._built.hooks, fetched, strict=True):
      hook.after_step(completed, values)

  def _run(self, session: tf.Session, step: int, fetches: Any) -> Any:
    tracers = [hook for hook in self._built.hooks if hook.wants_trace(step)]
    if not tracers:
      return session.run(fetches)
    metadata = tf.RunMetadata()
    options = tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE)
    values = session.run(fetches, options=options, run_metadata=metadata)
    for hook in tracers:
      hook.after_trace(step, metadata)
    return values

  def _save(self, session: tf.Session, step: int) -> str:
    for hook in self._built.hooks:
      hook.before_save(session)
    checkpoint = self._built.checkpointer.save(session, step)
    self._reporter.event('saved', step=step, checkpoint=checkpoint)
    return checkpoint

  def _end_epoch(self, session: tf.Session, step: int, checkpoint: str) -> Validation | None:
    validation = self._validate(session, step, checkpoint)
    if validation:
      validation = self._built.agreement.on_validation(session, validation)
    end = EpochEnd(step, checkpoint, self._built.epochs.ends(step), validation)
    for hook in self._built.hooks:
      hook.after_epoch(session, end)
    return validation

  def _validate(self, session: tf.Session, step: int, checkpoint: str) -> Validation | None:
    if self._evaluate_fn is None:
      return None
    for hook in self._built.hooks:
      hook.before_validation(step)
    release = self._built.release
    try:
      with release.hold(session, checkpoint) if release else contextlib.nullcontext():
        return self._evaluate_fn(checkpoint)
    except NonFiniteError as error:
      recovery = self._built.checkpointer.describe_recovery(step)
      raise TrainingError(f'{error} {recovery}') from error

  def _is_over(self, session: tf.Session, stop: interrupts.StopRequest) -> bool:
    return self._built.agreement.any(session, bool(stop.signal_name or self._stop_reason()))

  def _stop_reason(self) -> str | None:
    return next((hook.stop_reason for hook in self._built.hooks if hook.stop_reason), None)
