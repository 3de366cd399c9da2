"""Records a run: progress lines, `metrics.csv`, TensorBoard's event files."""

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any

from vgg_slim.compat import tf
from vgg_slim.configs.config import TrainConfig
from vgg_slim.reporting import Reporter
from vgg_slim.training import hparams
from vgg_slim.training.epoch_log import VALIDATION_FOLDER, EpochLog
from vgg_slim.training.epochs import Epochs
from vgg_slim.training.history import EpochMetrics
from vgg_slim.training.hooks import progress
from vgg_slim.training.hooks.base import EpochEnd, Hook, Step
from vgg_slim.training.hooks.host_state import HostState
from vgg_slim.training.summaries import PeriodicSummary

_EPOCH_END, _SAVE = 'epoch end', 'save'  # kinds of pauses of the stopwatch


class Recorder(Hook):
  """Reports each step and epoch; checkpoints hold the running averages of the current epoch."""

  def __init__(
    self,
    config: TrainConfig,
    epochs: Epochs,
    train_dir: str,
    total_steps: int,
    periodic_summaries: Sequence[PeriodicSummary],
    graph_def: bytes,
    reporter: Reporter,
    summarize_validation: Callable[[], tf.Summary] | None = None,
  ) -> None:
    """Adds the averages to the checkpoint; opens no file yet.

    Args:
      config: config of the run.
      epochs: positions at which the epochs of the run end.
      train_dir: folder for the files.
      total_steps: length of the run in steps.
      periodic_summaries: summaries for TensorBoard that are made every few steps.
      graph_def: serialized graph that TensorBoard shows.
      reporter: receiver of the progress lines.
      summarize_validation: function that returns a TensorBoard summary of the last validation,
        shown in addition to loss and accuracy.
    """
    self._config, self._run = config, config.run
    self._epochs, self._train_dir = epochs, train_dir
    self._total_steps, self._periodic_summaries = total_steps, periodic_summaries
    self._graph_def, self._reporter = graph_def, reporter
    self._summarize_validation = summarize_validation
    self._stopwatch = progress.Stopwatch()
    self.state: HostState = HostState('epoch', loss=0.0, accuracy=0.0, batches=0, learning_rate=0.0)
    self._files = contextlib.ExitStack()

  def begin(self, session: tf.Session, step: int) -> None:
    super().begin(session, step)
    self._step = step
    # A row that was written within an epoch is replaced by the row of the complete epoch.
    is_kept = self._epochs.ends(step) or step == self._total_steps
    self._epoch_began = time.monotonic()
    hparams.remove_descriptions(self._train_dir)
    log = EpochLog(self._train_dir, step, step if is_kept else step - 1)
    self._log = self._files.enter_context(contextlib.closing(log))
    self._log.add_event(tf.Event(wall_time=time.time(), graph_def=self._graph_def))
    settings = hparams.list_settings(self._config)
    self._log.add_summary(step, hparams.describe_run(settings, self._train_dir))

  def fetches(self, step: int) -> Any:
    self._stopwatch.start()
    return [periodic.fetch for periodic in self._due(step)]

  def after_step(self, step: Step, fetched: Any) -> None:
    self._stopwatch.tick(self._run.batch_size)
    self._step = step.number
    if self._epochs.ends(step.number - 1):  # its checkpoint was saved before the reset
      self.state.update(loss=0.0, accuracy=0.0, batches=0)
    self.state.update(
      loss=self.state['loss'] + step.scalars['loss'],
      accuracy=self.state['accuracy'] + step.scalars['accuracy'],
      batches=self.state['batches'] + 1,
      learning_rate=step.scalars['learning_rate'],
    )
    for periodic, value in zip(self._due(step.number), fetched, strict=True):
      summary = periodic.summarize(value) if periodic.summarize else value
      self._log.add_summary(step.number, summary)
    self._report(step)

  def before_save(self, session: tf.Session) -> None:
    self._stopwatch.pause(_SAVE)
    self._say('saving', self._step, 'saving')
    super().before_save(session)

  def before_validation(self, step: int) -> None:
    self._say('validating', step, 'validating')

  def after_epoch(self, session: tf.Session, end: EpochEnd) -> None:
    batches = max(1, self.state['batches'])
    train_loss, train_accuracy = self.state['loss'] / batches, self.state['accuracy'] / batches
    loss = accuracy = balanced_accuracy = macro_f1 = None
    if end.validation:
      loss, accuracy = end.validation.loss, end.validation.top_1_accuracy
      balanced_accuracy, macro_f1 = end.validation.balanced_accuracy, end.validation.macro_f1
      if self._summarize_validation:
        self._log.add_summary(end.step, self._summarize_validation(), VALIDATION_FOLDER)
    metrics = EpochMetrics(
      step=end.step,
      epoch=self._shown_epoch(end.step),
      train_loss=train_loss,
      train_accuracy=train_accuracy,
      validation_loss=loss,
      validation_accuracy=accuracy,
      learning_rate=self.state['learning_rate'],
      images_per_second=self._stopwatch.images_per_second,
      validation_balanced_accuracy=balanced_accuracy,
      validation_macro_f1=macro_f1,
    )
    seconds = time.monotonic() - self._epoch_began
    if end.validation:
      width = self._reporter.width if self._reporter.on_terminal else None
      self._reporter.line(progress.format_epoch(metrics, seconds, width))
    self._reporter.event('epoch', **metrics._asdict(), seconds=seconds)
    self._log.add(metrics)
    self.state.update(loss=0.0, accuracy=0.0, batches=0)
    self._epoch_began = time.monotonic()
    self._stopwatch.extend_pause(_EPOCH_END)
    self._stopwatch.reset()

  def close(self) -> None:
    self._files.close()

  def _say(self, phase: str, step: int, doing: str) -> None:
    left = self._estimate(step)
    self._reporter.phase(
      phase,
      f'step {step}/{self._total_steps}  {doing}',
      f'ETA {left.text}' if left else '',
      is_brief=True,
      step=step,
      total=self._total_steps,
      eta_seconds=left.seconds if left else None,
    )

  def _due(self, step: int) -> list[PeriodicSummary]:
    return [
      periodic
      for periodic in self._periodic_summaries
      if periodic.every_steps and (step - 1) % periodic.every_steps == 0
    ]

  def _report(self, step: Step) -> None:
    speed = self._stopwatch.images_per_second
    line = progress.format_line(
      step.number,
      self._total_steps,
      self._shown_epoch(step.number),
      step.scalars['loss'],
      step.scalars['accuracy'],
      speed,
      self._estimate(step.number),
      self._reporter.width,
    )
    if self._run.logs(step.number, self._total_steps):
      self._reporter.progress(line)
      self._report_numbers(step, speed)
      self._log.add_scalars(step.number, {**step.scalars, 'images_per_second': speed})
    else:
      self._reporter.status(line)

  def _report_numbers(self, step: Step, speed: float) -> None:
    left = self._estimate(step.number)
    self._reporter.event(
      'progress',
      phase='training',
      step=step.number,
      total=self._total_steps,
      unit='steps',
      epoch=self._shown_epoch(step.number),
      **step.scalars,
      images_per_second=speed or None,
      eta_seconds=left.seconds if left else None,
      eta_is_lower_bound=not left.is_complete if left else None,
    )

  def _shown_epoch(self, step: int) -> float:
    """Number of passes; that of the run at its last step, whose batch may begin another pass."""
    passed = self._epochs.passed(step)
    return passed if self._run.max_steps else min(passed, self._run.epochs)

  def _estimate(self, step: int) -> progress.Estimate | None:
    """The remaining time after a step, including the save and the validation that follow it.

    The run's last step saves and validates like the end of an epoch.
    """
    total, every_steps = self._total_steps, self._run.save_every_steps
    ends = self._epochs.ends_between(step - 1, total) + (not self._epochs.ends(total))
    saves = total // every_steps - (step - 1) // every_steps
    return self._stopwatch.estimate(total - step, {_EPOCH_END: ends, _SAVE: saves})
