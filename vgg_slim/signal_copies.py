"""Signals that arrive twice though they were sent once."""

import time

# `timeout` sends both within a millisecond; a person who means it presses Ctrl-C more slowly.
_SECONDS = 0.5


class SignalCopies:
  """Tells the copy of a signal from the next signal.

  `timeout` sends its signal to the process, and to the group in which the process is. A program
  that passes on what the terminal has sent to all does the same.
  """

  def __init__(self) -> None:
    self._last = -_SECONDS

  def is_copy(self) -> bool:
    """Whether a signal that arrives now is a copy of one within the last half second."""
    now = time.monotonic()
    if now - self._last < _SECONDS:
      return True
    self._last = now
    return False
