"""Signals that end a command, and the answers to Ctrl-C.

Ctrl-C is answered while the main thread is inside TensorFlow, where Python's handlers wait. A
training step and the save that follows it can take minutes on a busy machine.
"""

import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator

from vgg_slim.reporting import JsonStream
from vgg_slim.signal_copies import SignalCopies

_GRACE_SECONDS = 1.0  # for the main thread to leave by itself


def signal_of(interrupt: KeyboardInterrupt) -> int:
  """Returns the signal that raised an interrupt: its first argument, SIGINT if it has none."""
  return interrupt.args[0] if interrupt.args else signal.SIGINT


@contextlib.contextmanager
def answered(say: Callable[[str], None]) -> Iterator[None]:
  """Within the block, the first Ctrl-C is acknowledged at once, and a second ends the process.

  What a first Ctrl-C does is up to the handlers in the main thread, which run as before. In other
  threads, which cannot handle signals, the block changes nothing.

  Args:
    say: function that shows a line to the user; it is called in another thread.
  """
  if threading.current_thread() is not threading.main_thread():
    yield
    return
  reader, writer = socket.socketpair()
  writer.setblocking(False)
  is_over = threading.Event()
  listener = threading.Thread(target=_listen, args=(reader, is_over, say), daemon=True)
  listener.start()
  # Python writes the numbers of signals here as they arrive, before it calls their handlers.
  before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
  try:
    yield
  finally:
    signal.set_wakeup_fd(before)
    is_over.set()
    writer.close()
    listener.join()
    reader.close()


def _listen(reader: socket.socket, is_over: threading.Event, say: Callable[[str], None]) -> None:
  count, copies = 0, SignalCopies()
  while received := reader.recv(1):
    if received[0] != signal.SIGINT or copies.is_copy():
      continue
    count += 1
    if count == 1:
      say('Stopping; press Ctrl-C again to leave at once, without saving.')
    elif not is_over.wait(_GRACE_SECONDS):
      say('Interrupted.')
      code = 128 + signal.SIGINT
      if isinstance(sys.stdout, JsonStream):
        sys.stdout.event('error', text='interrupted.')
        sys.stdout.end(code)
      os._exit(code)
