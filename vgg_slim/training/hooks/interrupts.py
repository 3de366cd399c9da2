"""Ctrl-C and SIGTERM as a request to stop after the current step."""

import contextlib
import signal
import threading
from collections.abc import Iterator

from vgg_slim.signal_copies import SignalCopies


class StopRequest:
  """`signal_name` is None until a signal arrives, then 'SIGINT' or 'SIGTERM'."""

  def __init__(self) -> None:
    self.signal_name: str | None = None


@contextlib.contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
  """Within the block the first signal only sets the request; a second Ctrl-C interrupts at once.

  A second one within half a second is taken for a copy of the first, and does nothing.
  Only the main thread can handle signals in Python; in other threads the block changes nothing.
  """
  request = StopRequest()
  if threading.current_thread() is not threading.main_thread():
    yield request
    return

  copies = SignalCopies()

  def handle(number: int, frame: object) -> None:
    if copies.is_copy():
      return
    if request.signal_name and number == signal.SIGINT:
      raise KeyboardInterrupt
    request.signal_name = signal.Signals(number).name

  before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
  try:
    yield request
  finally:
    for number, handler in before.items():
      signal.signal(number, handler)
