"""Speed, time left, and the progress line."""

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple, TextIO

_LINE_WIDTH = 79  # characters; a terminal of 80 columns wraps a longer line, which then stays


class Estimate(NamedTuple):
  """The time that is left.

  Attributes:
    seconds: of everything whose duration is known.
    is_whole: False where a kind of pause is still to come that was not timed yet.
  """

  seconds: float
  is_whole: bool


class _Mean:
  """The mean of the numbers that are added."""

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

  The first step of a process plans the graph's memory and takes up to 10x the time: it is left out.
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
    """A step begins now, unless it began where the one before ended; ends a pause."""
    if self._step_started is not None:
      return
    self._step_started = self._clock()
    if self._pause_started is not None:
      mean = self._pauses.setdefault(self._pause_kind, _Mean())
      mean.add(self._step_started - self._pause_started)
      self._pause_started = None

  def tick(self, images: int) -> None:
    """Ends a step of this number of images; the next one begins."""
    now = self._clock()
    if self._is_warm:
      self._step_seconds.add(now - self._step_started)
      self._seconds += now - self._step_started
      self._images += images
      self._speed = self._images / self._seconds
    self._is_warm, self._step_started = True, now

  def pause(self, kind: str) -> None:
    """Begins a pause, which lasts until the next step starts.

    Args:
      kind: what it is for, such as 'save'; pauses of one kind take about the same time.
    """
    self._step_started = None
    self._pause_started, self._pause_kind = self._clock(), kind

  def extend_pause(self, kind: str) -> None:
    """The pause under way, if any, is of this kind instead."""
    self._pause_kind = kind

  def reset(self) -> None:
    """Starts the average speed again; the old one stays until the next step has ended."""
    self._images, self._seconds = 0, 0.0

  @property
  def images_per_second(self) -> float:
    """Speed of the steps since the last reset; 0 until the second step of the process has ended."""
    return self._speed

  def estimate(self, steps: int, pauses: Mapping[str, int]) -> Estimate | None:
    """Time for these steps, and pauses by kind; None until the second step has ended."""
    if not self._step_seconds.count:
      return None
    timed = [kind for kind, count in pauses.items() if count and kind in self._pauses]
    seconds = steps * self._step_seconds.value
    seconds += sum(pauses[kind] * self._pauses[kind].value for kind in timed)
    return Estimate(seconds, len(timed) == sum(count > 0 for count in pauses.values()))


def format_duration(seconds: float) -> str:
  """'0:07', '12:05', '3:07:09'."""
  minutes, seconds = divmod(round(seconds), 60)
  hours, minutes = divmod(minutes, 60)
  return f'{hours}:{minutes:02d}:{seconds:02d}' if hours else f'{minutes}:{seconds:02d}'


def format_line(
  step: int,
  total_steps: int,
  epoch: float,
  loss: float,
  accuracy: float,
  images_per_second: float,
  left: Estimate | None,
) -> str:
  """The progress line, of at most 79 characters: what does not fit gives way, the epoch first.

  Args:
    step: that was made.
    total_steps: length of the run.
    epoch: passes over the training split.
    loss: cross-entropy of the batch, without weight decay.
    accuracy: of the batch, 0..1.
    images_per_second: 0 where it is not known yet.
    left: the time left; '>' marks one that lacks what was not timed yet.
  """
  speed = (
    f'{images_per_second:.{1 if images_per_second < 100 else 0}f}' if images_per_second else '-'
  )
  eta = f'{"" if left.is_whole else ">"}{format_duration(left.seconds)}' if left else '-'
  fields = [
    f'step {step:{len(str(total_steps))}d}/{total_steps}',
    f'epoch {epoch:5.2f}',
    f'loss {loss:6.4f}',
    f'accuracy {accuracy:5.1%}',
    f'{speed:>4} images/s',
    f'ETA {eta}',
  ]
  for shown in (fields, [fields[0], *fields[2:]]):
    for gap in ('  ', ' '):
      line = gap.join(shown)
      if len(line) <= _LINE_WIDTH:
        return line
  return line


class Reporter:
  """Lines for a person: `line` stays, `status` is overwritten and shown on a terminal only.

  A quiet one leaves out `progress` and `status`.
  """

  def __init__(self, stream: TextIO, quiet: bool = False) -> None:
    self._stream, self._quiet = stream, quiet
    self._on_terminal = stream.isatty()
    self._status_width = 0

  def line(self, text: str) -> None:
    self._write(text.ljust(self._status_width) + '\n')
    self._status_width = 0

  def progress(self, text: str) -> None:
    if not self._quiet:
      self.line(text)

  def status(self, text: str) -> None:
    if self._on_terminal and not self._quiet:
      self._write(text.ljust(self._status_width) + '\r')
      self._status_width = len(text)

  def _write(self, text: str) -> None:
    self._stream.write(text)
    self._stream.flush()
