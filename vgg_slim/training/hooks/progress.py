"""Throughput, remaining time, and the progress line."""

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from vgg_slim import terminal
from vgg_slim.reporting import format_duration
from vgg_slim.training.history import EpochMetrics


class Estimate(NamedTuple):
  """The remaining time.

  Attributes:
    seconds: time of all remaining steps and pauses whose duration is known.
    is_complete: whether all durations are known; False if the run still has a kind of pause that
      has not been timed yet.
  """

  seconds: float
  is_complete: bool

  @property
  def text(self) -> str:
    """The time for people; '>' marks a lower bound."""
    return f'{"" if self.is_complete else ">"}{format_duration(self.seconds)}'


class _Mean:
  """Running mean."""

  def __init__(self) -> None:
    self.count, self._sum = 0, 0.0

  def add(self, number: float) -> None:
    self.count += 1
    self._sum += number

  @property
  def value(self) -> float:
    return self._sum / self.count


class Stopwatch:
  """Times steps, and the pauses between them: validations and saves.

  The first step of a process is left out: it plans the graph's memory and takes up to ten times as
  long.
  """

  def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
    self._clock = clock
    self._step_started: float | None = None
    self._is_warm = False
    self._images, self._seconds = 0, 0.0
    self._speed = 0.0
    self._step_seconds = _Mean()
    self._pause_started: float | None = None
    self._pause_kind = ''
    self._pauses: dict[str, _Mean] = {}

  def start(self) -> None:
    """Begins a step and ends a pause; does nothing if the step began when the last one ended."""
    if self._step_started is not None:
      return
    self._step_started = self._clock()
    if self._pause_started is not None:
      mean = self._pauses.setdefault(self._pause_kind, _Mean())
      mean.add(self._step_started - self._pause_started)
      self._pause_started = None

  def tick(self, images: int) -> None:
    """Ends a step of `images` images and begins the next one."""
    now = self._clock()
    if self._is_warm and self._step_started is not None:
      self._step_seconds.add(now - self._step_started)
      self._seconds += now - self._step_started
      self._images += images
      self._speed = self._images / self._seconds
    self._is_warm, self._step_started = True, now

  def pause(self, kind: str) -> None:
    """Begins a pause, which lasts until the next step starts.

    Args:
      kind: kind of pause, such as 'save'; pauses of one kind take about the same time.
    """
    self._step_started = None
    self._pause_started, self._pause_kind = self._clock(), kind

  def extend_pause(self, kind: str) -> None:
    """Changes the kind of the current pause, if any."""
    self._pause_kind = kind

  def reset(self) -> None:
    """Starts a new average of the throughput; the old value stays until the next step has ended."""
    self._images, self._seconds = 0, 0.0

  @property
  def images_per_second(self) -> float:
    """Throughput since the last reset; 0 until the second step of the process has ended."""
    return self._speed

  def estimate(self, steps: int, pauses: Mapping[str, int]) -> Estimate | None:
    """Time for `steps` steps and `pauses` by kind; None until the second step has ended."""
    if not self._step_seconds.count:
      return None
    timed = [kind for kind, count in pauses.items() if count and kind in self._pauses]
    seconds = steps * self._step_seconds.value
    seconds += sum(pauses[kind] * self._pauses[kind].value for kind in timed)
    return Estimate(seconds, len(timed) == sum(count > 0 for count in pauses.values()))


def format_line(
  step: int,
  total_steps: int,
  epoch: float,
  loss: float,
  accuracy: float,
  images_per_second: float,
  left: Estimate | None,
  width: int = terminal.COLUMNS - 1,
) -> str:
  """The progress line; epoch, accuracy and throughput are left out, in this order, if need be.

  Args:
    step: number of the completed step.
    total_steps: length of the run in steps.
    epoch: number of passes over the training split.
    loss: cross-entropy of the batch, without weight decay.
    accuracy: accuracy on the batch, 0..1.
    images_per_second: throughput; 0 if it is not known yet.
    left: remaining time; '>' marks a lower bound, as long as some pauses have not been timed.
    width: largest number of characters.
  """
  speed = (
    f'{images_per_second:.{1 if images_per_second < 100 else 0}f}' if images_per_second else '-'
  )
  fields = {
    'step': f'step {step:{len(str(total_steps))}d}/{total_steps}',
    'epoch': f'epoch {epoch:5.2f}',
    'loss': f'loss {loss:6.4f}',
    'accuracy': f'accuracy {accuracy:5.1%}',
    'speed': f'{speed:>4} images/s',
    'eta': f'ETA {left.text if left else "-"}',
  }
  return terminal.fit_fields(fields, ('epoch', 'accuracy', 'speed'), width)


def format_epoch(metrics: EpochMetrics, seconds: float, width: int | None) -> str:
  """The line at the end of an epoch with a validation, or several lines if `width` is too small.

  Balanced accuracy and macro F1 are shown where the former is not the accuracy.

  Args:
    metrics: numbers of the epoch.
    seconds: duration of the epoch.
    width: largest number of characters of a line; None for one line of any length.
  """
  head = f'epoch {metrics.epoch:.2f}: '
  train = f'loss {metrics.train_loss:.4f} accuracy {metrics.train_accuracy:.2%}'
  validation = f'loss {metrics.validation_loss:.4f} accuracy {metrics.validation_accuracy:.2%}'
  balanced = _balanced_metrics(metrics)
  line = f'{head}train {train}, validation {validation}{balanced}, {seconds:.1f} s'
  if width is None or len(line) <= width:
    return line
  first = f'{head}train      {train}, {seconds:.1f} s'
  second = f'{"":{len(head)}}validation {validation}'
  if len(second) + len(balanced) <= width:
    return f'{first}\n{second}{balanced}'
  return f'{first}\n{second}\n{"":{len(head)}}          {balanced}'


def _balanced_metrics(metrics: EpochMetrics) -> str:
  """The metrics in which all classes weigh the same; empty if they repeat the accuracy."""
  balanced, macro_f1 = metrics.validation_balanced_accuracy, metrics.validation_macro_f1
  if balanced is None or f'{balanced:.2%}' == f'{metrics.validation_accuracy:.2%}':
    return ''
  return f' balanced {balanced:.2%} F1 {macro_f1:.3f}'
