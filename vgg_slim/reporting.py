"""Tells users, or programs, what a command is doing. No TensorFlow.

`Reporter` writes for people: lines, and on a terminal one status line that is overwritten.
`JsonReporter` writes for programs: one JSON object per line, each with its `event`.
"""

import io
import json
import math
import time
from collections.abc import Callable
from typing import Any, TextIO, cast

from vgg_slim import terminal

_SECONDS_BETWEEN_REDRAWS = 0.1
_SECONDS_BETWEEN_LINES = 5.0
_SECONDS_BETWEEN_EVENTS = 1.0


class Reporter:
  """Writes lines for the user: `line` stays, `status` is overwritten and needs a terminal.

  Attributes:
    on_terminal: whether there is a status line.
    is_json: whether the receiver is a program.

  Args:
    stream: stream to write to.
    quiet: whether everything except `line` is left out.
    is_plain: whether a terminal is treated like a file: lines instead of a status line.
  """

  is_json = False

  def __init__(self, stream: TextIO, quiet: bool = False, is_plain: bool = False) -> None:
    self._stream, self._quiet = stream, quiet
    self.on_terminal = stream.isatty() and not is_plain
    self._status_width = 0
    self._phase, self._doing, self._left = '', '', ''
    self._is_due = self.pace()

  def clear(self) -> None:
    """Removes the status line."""
    if self._status_width:
      self._write(' ' * self._status_width + '\r')
      self._status_width = 0

  @property
  def width(self) -> int:
    """Number of characters of a line that a terminal does not wrap.

    A wrapped status line could not be overwritten. The last column stays empty, after which some
    terminals wrap.
    """
    return (terminal.columns(self._stream) if self.on_terminal else terminal.COLUMNS) - 1

  def line(self, text: str) -> None:
    """Writes lines that stay, divided at spaces where the terminal is too narrow."""
    first, *others = terminal.fold(text, self._stream).split('\n')
    self._write('\n'.join([first.ljust(self._status_width), *others]) + '\n')
    self._status_width = 0

  def progress(self, text: str) -> None:
    """Writes a line about the progress."""
    if not self._quiet:
      self.line(text)

  def status(self, text: str) -> None:
    """Replaces the status line."""
    if self.on_terminal and not self._quiet:
      self._write(text.ljust(self._status_width) + '\r')
      self._status_width = len(text)

  def phase(
    self, name: str, doing: str, left: str = '', is_brief: bool = False, **values: Any
  ) -> None:
    """Says what happens from now on, until the next phase or progress of the work.

    Args:
      name: name of the phase for programs.
      doing: what happens, for people, such as 'Building the graph'.
      left: remaining time of the whole work, for people, such as 'ETA 0:05'.
      is_brief: whether the phase is too short or too frequent for a line in a file.
      **values: more about the phase, for programs.
    """
    self._phase, self._doing, self._left = name, doing, left and f'  {left}'
    self._is_due = self.pace()
    if self.on_terminal:
      self.status(self._fit(f'{doing} ...'))
    elif not is_brief:
      self.progress(f'{doing} ...')

  def part(self, done: int, total: int, unit: str = 'images') -> None:
    """Shows how much of the current phase is done."""
    if not self._is_due():
      return
    text = f'{self._doing} {done}/{total} {unit}'
    if self.on_terminal:
      self.status(self._fit(text))
    else:
      self.progress(f'{text}{self._left}')

  def event(self, kind: str, **values: Any) -> None:
    """Reports numbers to a program; people see them in the lines of the other methods."""

  def pace(self) -> Callable[[], bool]:
    """Returns a function that is true whenever progress is to be shown again."""
    return every(_SECONDS_BETWEEN_REDRAWS if self.on_terminal else _SECONDS_BETWEEN_LINES)

  def _fit(self, text: str) -> str:
    whole = f'{text}{self._left}'
    return whole if len(whole) <= self.width else text[: self.width]

  def _write(self, text: str) -> None:
    self._stream.write(text)
    self._stream.flush()


class JsonStream(io.TextIOBase):
  """A stream of JSON objects, which turns lines of text into objects of the event 'message'."""

  def __init__(self, stream: TextIO) -> None:
    super().__init__()
    self._stream, self._pending = stream, ''
    self._has_ended = False

  def writable(self) -> bool:
    return True

  @property
  def encoding(self) -> str:  # type: ignore[override]
    return 'utf-8'

  def write(self, text: str) -> int:
    *lines, self._pending = (self._pending + text).split('\n')
    for line in lines:
      if line.strip():
        self.event('message', text=line)
    return len(text)

  def event(self, kind: str, **values: Any) -> None:
    """Writes an object; numbers that are not finite, which JSON does not know, become null."""
    if self._has_ended:  # an interrupt is answered in another thread
      return
    written = {'event': kind, **{key: _finite(value) for key, value in values.items()}}
    self._stream.write(json.dumps(written, allow_nan=False) + '\n')
    self._stream.flush()

  def finish(self) -> None:
    """Writes a last line that has no end."""
    if self._pending:
      self.write('\n')

  def end(self, exit_code: object) -> None:
    """Writes the last object, after which nothing else is written."""
    self.finish()
    self.event('end', exit_code=exit_code)
    self._has_ended = True


class JsonReporter(Reporter):
  """Writes an object for each event, and for each line that `Reporter` would write."""

  is_json = True

  def __init__(self, stream: JsonStream, quiet: bool = False) -> None:
    super().__init__(cast(TextIO, stream), quiet)
    self._json = stream

  def progress(self, text: str) -> None:
    """Writes nothing: `event` has the numbers."""

  def phase(
    self, name: str, doing: str, left: str = '', is_brief: bool = False, **values: Any
  ) -> None:
    super().phase(name, doing, left, is_brief)
    self._json.event('phase', phase=name, **values)

  def pace(self) -> Callable[[], bool]:
    return every(_SECONDS_BETWEEN_EVENTS)

  def part(self, done: int, total: int, unit: str = 'images') -> None:
    if self._is_due() or done == total:
      self._json.event('progress', phase=self._phase, step=done, total=total, unit=unit)

  def event(self, kind: str, **values: Any) -> None:
    self._json.event(kind, **values)


def every(seconds: float) -> Callable[[], bool]:
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


def format_duration(seconds: float) -> str:
  """Formats a duration like '0:07', '12:05' or '3:07:09'."""
  minutes, seconds = divmod(round(seconds), 60)
  hours, minutes = divmod(minutes, 60)
  return f'{hours}:{minutes:02d}:{seconds:02d}' if hours else f'{minutes}:{seconds:02d}'


def _finite(value: Any) -> Any:
  return None if isinstance(value, float) and not math.isfinite(value) else value
