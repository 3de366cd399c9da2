"""Progress of long work on stderr: a bar on terminals, a line every few seconds elsewhere.

With --quiet neither is shown.
"""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import TextIO

from rich import console, progress

from vgg_slim.commands import invocation

ProgressFn = Callable[[int, int], None]

_SECONDS_BETWEEN_LINES = 5.0
_SECONDS_BETWEEN_REDRAWS = 0.1


@contextlib.contextmanager
def show(
  description: str, unit: str = 'images', stream: TextIO | None = None
) -> Iterator[ProgressFn]:
  """Yields a function to call with (done, total) as the work progresses.

  Rate and remaining time are measured from the first call on, since an earlier process may have
  done what was finished by then.

  Args:
    description: name of the work, such as 'Converting'.
    unit: plural of what is counted.
    stream: stream to write to; stderr by default.
  """
  stream = sys.stderr if stream is None else stream
  if invocation.is_quiet():
    yield lambda done, total: None
    return
  make = _bar if stream.isatty() else _lines
  with make(description, unit, stream) as report:
    yield report


@contextlib.contextmanager
def _bar(description: str, unit: str, stream: TextIO) -> Iterator[ProgressFn]:
  columns = (
    progress.TextColumn('{task.description}'),
    progress.BarColumn(),
    progress.MofNCompleteColumn(),
    _RateColumn(unit),
    progress.TimeRemainingColumn(),
  )
  with progress.Progress(*columns, console=console.Console(file=stream)) as bar:
    task = bar.add_task(description, total=None)
    is_due = _every(_SECONDS_BETWEEN_REDRAWS)

    def report(done: int, total: int) -> None:
      if bar.tasks[0].total is None:
        bar.reset(task, completed=done, total=total)
      elif is_due() or done == total:
        bar.update(task, completed=done)

    yield report


@contextlib.contextmanager
def _lines(description: str, unit: str, stream: TextIO) -> Iterator[ProgressFn]:
  began, before = time.monotonic(), 0
  is_first = True
  is_due = _every(_SECONDS_BETWEEN_LINES)

  def report(done: int, total: int) -> None:
    nonlocal began, before, is_first
    if is_first and done < total:
      began, before = time.monotonic(), done
    is_first = False
    if is_due() or done == total:
      rate = (done - before) / max(time.monotonic() - began, 1e-9)
      left = (total - done) / max(rate, 1e-9)
      print(
        f'{description}: {done} of {total} {unit}, {rate:.0f} {unit}/s, {left:.0f} s left',
        file=stream,
        flush=True,
      )

  yield report


class _RateColumn(progress.ProgressColumn):
  """Units per second; empty until there are two updates to compute it from."""

  def __init__(self, unit: str):
    super().__init__()
    self._unit = unit

  def render(self, task: progress.Task) -> str:
    return '' if task.speed is None else f'{task.speed:.0f} {self._unit}/s'


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
