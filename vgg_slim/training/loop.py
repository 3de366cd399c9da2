"""The training loop: the one session of this package."""

import contextlib
import dataclasses
import os
import pathlib
import time
from collections.abc import Callable, Iterator
from typing import Protocol

from vgg_slim.compat import slim, tf
from vgg_slim.config import TrainConfig, write_train_config
from vgg_slim.data import manifest as manifests
from vgg_slim.data import pipeline
from vgg_slim.data.manifest import Manifest
from vgg_slim.errors import TrainingError
from vgg_slim.nets import specs
from vgg_slim.training import graph, interrupts, progress, warm_start
from vgg_slim.training.history import EpochMetrics, MetricsFile
from vgg_slim.weights import checkpoints, contract

_CHECKPOINT = 'model.ckpt'
VALIDATION_FOLDER = 'validation'  # of the validation scalars, a TensorBoard run of its own


class Validation(Protocol):
  """What the loop asks of a validation: mean cross-entropy and fraction of hits."""

  loss: float
  top_1_accuracy: float


EvaluateFn = Callable[[str], Validation]


@dataclasses.dataclass(frozen=True)
class TrainResult:
  """Where training ended.

  Attributes:
    step: global step of the last checkpoint.
    total_steps: the step at which training is complete.
    checkpoint: prefix of that checkpoint.
    stopped_by: 'SIGINT', 'SIGTERM' or None.
    validation: of the last full epoch in this process, or None.
  """

  step: int
  total_steps: int
  checkpoint: str
  stopped_by: str | None = None
  validation: Validation | None = None


def run_training(
  config: TrainConfig,
  manifest: Manifest,
  train_dir: str,
  evaluate_fn: EvaluateFn | None,
  reporter: progress.Reporter,
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

  Raises:
    TrainingError: the loss is no longer finite.
    CheckpointError: the newest checkpoint is of another network, or `checkpoint_path` does not fit.
    ConfigError: a scope of `config.fine_tune` matches nothing.
  """
  num_examples = manifest.split('train').num_examples
  total_steps = config.run.total_steps(num_examples)
  newest = checkpoints.latest_checkpoint(train_dir)
  start_step = checkpoints.global_step(newest) if newest else 0
  if start_step >= total_steps:
    return TrainResult(start_step, total_steps, newest)
  with tf.Graph().as_default():
    tf.set_random_seed(config.run.seed)
    ops, initializer = _build(config, manifest, start_step)
    if newest:
      checkpoints.check_fits(newest, checkpoints.stored_names(tf.global_variables()))
      reporter.line(f'Resuming from {newest}.')
    loop = _Loop(config, ops, train_dir, num_examples, evaluate_fn, reporter)
    scaffold = tf.train.Scaffold(
      saver=loop.saver,
      local_init_op=tf.group(tf.local_variables_initializer(), initializer),
      init_fn=None if newest else _build_init_fn(config, ops, reporter),
    )
    # Not before the graph stands: a mistake in the flags leaves no train_dir behind.
    os.makedirs(train_dir, exist_ok=True)
    write_train_config(train_dir, config)
    with (
      interrupts.stop_on_signals() as stop,
      tf.train.SingularMonitoredSession(scaffold=scaffold, checkpoint_dir=train_dir) as session,
    ):
      return loop.run(session.raw_session(), start_step, total_steps, stop)


def _build(
  config: TrainConfig, manifest: Manifest, start_step: int
) -> tuple[graph.TrainOps, tf.Operation]:
  split = manifest.split('train')
  with tf.name_scope('input'):
    batch = pipeline.build_train_batch(
      manifests.shard_paths(config.data_dir, manifest, 'train'),
      split.num_examples,
      split.num_bytes,
      config.preprocessing,
      config.net.image_size,
      config.run.batch_size,
      config.run.seed,
      start_step,
    )
  steps_per_epoch = split.num_examples / config.run.batch_size
  ops = graph.build_train_graph(config, batch.images, batch.labels, steps_per_epoch)
  return ops, batch.initializer


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
  """One run's files, clock and epoch averages."""

  def __init__(
    self,
    config: TrainConfig,
    ops: graph.TrainOps,
    train_dir: str,
    num_examples: int,
    evaluate_fn: EvaluateFn | None,
    reporter: progress.Reporter,
  ) -> None:
    self._config, self._ops, self._train_dir = config, ops, train_dir
    self._num_examples, self._evaluate_fn, self._reporter = num_examples, evaluate_fn, reporter
    self._contract = contract.from_train_config(config)
    self._stopwatch = progress.Stopwatch()
    self._epoch: list[tuple[float, float]] = []  # cross-entropy and accuracy of each batch
    self._validation: Validation | None = None
    # Taken before savers and initialisers join the graph: with these, TensorBoard moves the network
    # out of the picture as a node of too many neighbours.
    self._graph_def = tf.get_default_graph().as_graph_def().SerializeToString()
    self.saver = tf.train.Saver(max_to_keep=config.run.keep_checkpoints)
    state = tf.train.get_checkpoint_state(train_dir)
    if state:
      self.saver.recover_last_checkpoints(state.all_model_checkpoint_paths)

  def run(
    self,
    session: tf.Session,
    start_step: int,
    total_steps: int,
    stop: interrupts.StopRequest,
  ) -> TrainResult:
    run = self._config.run
    self._metrics = MetricsFile(self._train_dir, start_step)
    checkpoint, step = None, start_step
    with self._open_writers(start_step):
      while step < total_steps and stop.signal_name is None:
        step += 1
        learning_rate = self._train_step(session, step, total_steps)
        checkpoint = None
        if self._ends_epoch(step) or step == total_steps:
          checkpoint = self._save(session, step)
          self._end_epoch(checkpoint, step, learning_rate)
        elif step % run.save_every_steps == 0:
          checkpoint = self._save(session, step)
      checkpoint = checkpoint or self._save(session, step)
    return TrainResult(step, total_steps, checkpoint, stop.signal_name, self._validation)

  @contextlib.contextmanager
  def _open_writers(self, start_step: int) -> Iterator[None]:
    folder = os.path.join(self._train_dir, VALIDATION_FOLDER)
    with (
      contextlib.closing(tf.summary.FileWriter(self._train_dir)) as writer,
      contextlib.closing(tf.summary.FileWriter(folder)) as validation_writer,
    ):
      self._writer, self._validation_writer = writer, validation_writer
      writer.add_event(tf.Event(wall_time=time.time(), graph_def=self._graph_def))
      # Tells TensorBoard to forget what a killed run wrote beyond its last checkpoint.
      start = tf.SessionLog(status=tf.SessionLog.START)
      writer.add_session_log(start, start_step)
      validation_writer.add_session_log(start, start_step)
      yield

  def _train_step(self, session: tf.Session, step: int, total_steps: int) -> float:
    """Runs one step; returns its learning rate."""
    run, ops = self._config.run, self._ops
    fetches = {
      'loss/total': ops.train_op,
      'loss/cross_entropy': ops.losses.cross_entropy,
      'loss/regularization': ops.losses.regularization,
      'accuracy': ops.accuracy,
      'learning_rate': ops.learning_rate,
    }
    every = run.image_summary_every_steps
    wants_pictures = bool(every) and (step - 1) % every == 0
    try:
      scalars, pictures = session.run([fetches, ops.image_summary if wants_pictures else []])
    except tf.errors.InvalidArgumentError as error:
      if graph.LOSS_CHECK not in error.message:
        raise
      raise TrainingError(
        f'The loss is not finite at step {step}. Lower --learning_rate; nothing of this step was '
        'saved.'
      ) from error
    self._stopwatch.tick(run.batch_size)
    self._epoch.append((scalars['loss/cross_entropy'], scalars['accuracy']))
    if wants_pictures:
      self._writer.add_summary(pictures, step)
    self._report(step, total_steps, scalars)
    return float(scalars['learning_rate'])

  def _report(self, step: int, total_steps: int, scalars: dict[str, float]) -> None:
    speed = self._stopwatch.images_per_second
    line = progress.format_line(
      step,
      total_steps,
      self._epochs(step),
      scalars['loss/total'],
      scalars['accuracy'],
      speed,
      (total_steps - step) * self._config.run.batch_size,
    )
    if step % self._config.run.log_every_steps == 0 or step == total_steps:
      self._reporter.line(line)
      self._add_scalars(self._writer, step, {**scalars, 'images_per_second': speed})
    else:
      self._reporter.status(line)

  def _end_epoch(self, checkpoint: str, step: int, learning_rate: float) -> None:
    """Validates the checkpoint and adds the epoch's row and scalars."""
    train_loss, train_accuracy = (sum(v) / len(self._epoch) for v in zip(*self._epoch, strict=True))
    loss = accuracy = None
    if self._evaluate_fn:
      self._validation = self._evaluate_fn(checkpoint)
      loss, accuracy = self._validation.loss, self._validation.top_1_accuracy
      scalars = {'loss/cross_entropy': loss, 'accuracy': accuracy}
      self._add_scalars(self._validation_writer, step, scalars)
      self._reporter.line(
        f'epoch {self._epochs(step):.2f}: train loss {train_loss:.4f} accuracy '
        f'{train_accuracy:.2%}, validation loss {loss:.4f} accuracy {accuracy:.2%}'
      )
    self._metrics.add(
      EpochMetrics(
        step=step,
        epoch=self._epochs(step),
        train_loss=train_loss,
        train_accuracy=train_accuracy,
        validation_loss=loss,
        validation_accuracy=accuracy,
        learning_rate=learning_rate,
        images_per_second=self._stopwatch.images_per_second,
      )
    )
    self._epoch.clear()
    self._stopwatch.pause()
    self._stopwatch.reset()

  def _save(self, session: tf.Session, step: int) -> str:
    self._stopwatch.pause()
    prefix = str(pathlib.Path(self._train_dir, _CHECKPOINT))
    # Before the checkpoint, so that none is ever without.
    contract.write_contract(contract.contract_path(f'{prefix}-{step}'), self._contract)
    checkpoint = self.saver.save(session, prefix, global_step=step, write_meta_graph=False)
    contract.remove_orphans(self._train_dir, _CHECKPOINT)
    return checkpoint

  def _epochs(self, step: int) -> float:
    return step * self._config.run.batch_size / self._num_examples

  def _ends_epoch(self, step: int) -> bool:
    batch, examples = self._config.run.batch_size, self._num_examples
    return step * batch // examples > (step - 1) * batch // examples

  @staticmethod
  def _add_scalars(writer: tf.summary.FileWriter, step: int, scalars: dict[str, float]) -> None:
    values = [tf.Summary.Value(tag=tag, simple_value=value) for tag, value in scalars.items()]
    writer.add_summary(tf.Summary(value=values), step)
    writer.flush()
