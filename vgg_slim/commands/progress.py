"""Progress of long work on stderr: a bar on terminals, a line every few seconds elsewhere.

With --quiet neither is shown.
"""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import TextIO

from rich import console, progress

from vgg_slim.commands.flags import common_flags

_SECONDS_BETWEEN_LINES = 5.0
_SECONDS_BETWEEN_REDRAWS = 0.1

ProgressFn = Callable[[int, int], None]


class Meter:
  """A function to call with (done, total) as the work progresses, and the rate of the work.

  What was done at the first call is the work of an earlier process, which has no part in the rate.

  Args:
    draw: function of (done, total) that shows the progress.
    began: time at which the work began, in seconds; None if it begins with the first call.
  """

  def __init__(self, draw: ProgressFn, began: float | None = None):
    self._draw = draw
    self._began = began
    self._now = began
    self._before: int | None = None
    self._done = 0

  def __call__(self, done: int, total: int) -> None:
    self._now = time.monotonic()
    if self._before is None:
      # Work that begins with the first call, and is complete then, was done in one piece.
      self._before = 0 if self._began is None and done == total else done
      self._began = self._now if self._began is None else self._began
    self._done = done
    self._draw(done, total)

  @property
  def seconds(self) -> float:
    """Seconds from the beginning of the work to the last call."""
    return max((self._now or 0) - (self._began or 0), 1e-9)

  @property
  def before(self) -> int:
    """Number of things that an earlier process did."""
    return self._before or 0

  @property
  def rate(self) -> float:
    """Number of things done per second; 0 as long as no time has passed since the first call."""
    has_begun = self._now != self._began
    return (self._done - self.before) / self.seconds if has_begun else 0.0


def say(text: str) -> None:
  """Prints a report of the work, unless --quiet hides it."""
  if not common_flags.is_quiet():
    print(text)


@contextlib.contextmanager
def show(
  description: str,
  unit: str = 'images',
  stream: TextIO | None = None,
  total: int | None = None,
) -> Iterator[Meter]:
  """Yields a function to call with (done, total) as the work progresses.

  Args:
    description: name of the work, such as 'Converting'.
    unit: plural of what is counted.
    stream: stream to write to; stderr by default.
    total: number of things to do, if it is known. The rate is then measured from now on, with all
      preparations, otherwise from the first call on.
  """
  stream = sys.stderr if stream is None else stream
  began = None if total is None else time.monotonic()
  if common_flags.is_quiet():
    yield Meter(lambda done, total: None, began)
  elif stream.isatty():
    with _show_bar(description, unit, stream, began, total) as meter:
      yield meter
  else:
    yield _print_lines(description, unit, stream, began)


@contextlib.contextmanager
def _show_bar(
  description: str, unit: str, stream: TextIO, began: float | None, total: int | None
) -> Iterator[Meter]:
  is_due = _every(_SECONDS_BETWEEN_REDRAWS)

  def draw(done: int, total: int) -> None:
    if bar.tasks[0].total is None or done == meter.before:
      bar.reset(task, completed=done, total=total)
    elif is_due() or done == total:
      bar.update(task, completed=done)

  meter = Meter(draw, began)
  columns = (
    progress.TextColumn('{task.description}'),
    progress.BarColumn(),
    progress.MofNCompleteColumn(),
    _RateColumn(meter, unit),
    progress.TimeRemainingColumn(),
  )
  with progress.Progress(*columns, console=console.Console(file=stream)) as bar:
    task = bar.add_task(description, total=total)
    yield meter


def _print_lines(description: str, unit: str, stream: TextIO, began: float | None) -> Meter:
  is_due = _every(_SECONDS_BETWEEN_LINES)

  def draw(done: int, total: int) -> None:
    if is_due() or done == total:
      text = f'{description}: {done} of {total} {unit}'
      if meter.rate:
        text += f', {meter.rate:.0f} {unit}/s, {(total - done) / meter.rate:.0f} s left'
      print(text, file=stream, flush=True)

  meter = Meter(draw, began)
  return meter


class _RateColumn(progress.ProgressColumn):
  """Units per second; empty until something is done."""

  def __init__(self, meter: Meter, unit: str):
    super().__init__()
    self._meter = meter
    self._unit = unit

  def render(self, task: progress.Task) -> str:
    return f'{self._meter.rate:.0f} {self._unit}/s' if self._meter.rate else ''


def _every(seconds: float) -> Callable[[], bool]:
  """Returns a function that is true at most once every `seconds`, and not before `seconds`."""
  due = time.monotonic() + seconds

  def is_due() -> bool:
    nonlocal due
    now = time.monotonic()
    if now < due:
      return False
    due = now + seconds
    return True

  return is_due
