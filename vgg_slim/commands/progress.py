"""Progress of long work, in the format of --progress: for people on stderr, or JSON on stdout.

On terminals it is one line that is overwritten, elsewhere a line every few seconds. With --quiet
neither is shown.
"""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import TextIO

from vgg_slim import terminal
from vgg_slim.commands import installation
from vgg_slim.commands.flags import common_flags
from vgg_slim.reporting import JsonReporter, JsonStream, Reporter, format_duration

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


def reporter(stream: TextIO | None = None) -> Reporter:
  """Returns what reports to the user, or to a program with --progress=json.

  Args:
    stream: stream for people; stdout by default.
  """
  if isinstance(sys.stdout, JsonStream):
    return JsonReporter(sys.stdout)
  is_plain = common_flags.progress_format() == common_flags.PLAIN
  return Reporter(sys.stdout if stream is None else stream, common_flags.is_quiet(), is_plain)


def say(text: str, stream: TextIO | None = None) -> None:
  """Prints a report of the work to `stream`, stdout by default, unless --quiet hides it."""
  if not common_flags.is_quiet():
    reporter(stream).line(installation.localize(text))


@contextlib.contextmanager
def json_output() -> Iterator[None]:
  """Within the block all output is JSON, whose last object has the exit code."""
  stream = JsonStream(sys.stdout)
  code: object = 1  # that of a traceback
  try:
    with contextlib.redirect_stdout(stream):
      yield
  except SystemExit as end:
    code = end.code
    raise
  finally:
    stream.end(code)


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
  began = None if total is None else time.monotonic()
  target = reporter(sys.stderr if stream is None else stream)
  is_due = target.pace()

  def draw(done: int, total: int) -> None:
    if not is_due() and done != total:
      return
    if target.is_json:
      _report(target, meter, description, done, total, unit)
      return
    text = format_line(description, done, total, unit, meter.rate, target.width)
    if target.on_terminal and done != total:
      target.status(text)
    else:
      target.progress(text)

  meter = Meter(draw, began)
  target.phase(description, description, is_brief=True)
  try:
    yield meter
  finally:
    target.clear()


def _report(
  target: Reporter, meter: Meter, description: str, done: int, total: int, unit: str
) -> None:
  rate = meter.rate or None
  target.event(
    'progress',
    phase=description,
    step=done,
    total=total,
    unit=unit,
    **{f'{unit}_per_second': rate},
    eta_seconds=(total - done) / rate if rate else None,
  )


def format_rate(rate: float, unit: str = 'images') -> str:
  """Formats things per second like '9.5 images/s' or '120 images/s'."""
  return f'{rate:.{1 if rate < 10 else 0}f} {unit}/s'


def format_line(description: str, done: int, total: int, unit: str, rate: float, width: int) -> str:
  """Returns a line of progress; percentage, rate and ETA are left out, in this order, if need be.

  Args:
    description: name of the work.
    done: number of things that are done.
    total: number of things to do.
    unit: plural of what is counted.
    rate: number of things per second; 0 if it is not known yet.
    width: largest number of characters.
  """
  fields = {
    'description': description,
    'percentage': f'{done / total if total else 1:4.0%}',
    'count': f'{done:{len(str(total))}d}/{total} {unit}',
  }
  if rate:
    fields |= {
      'rate': format_rate(rate, unit),
      'eta': f'ETA {format_duration((total - done) / rate)}',
    }
  return terminal.fit_fields(fields, ('percentage', 'rate', 'eta'), width)
