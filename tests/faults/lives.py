"""Processes that are killed: forks of one that has imported TensorFlow, so that they start fast."""

import contextlib
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable

_POLL_SECONDS = 0.0002  # a save of a thin network takes some milliseconds
_HANG_SECONDS = 300  # for a process of some seconds, on a busy machine
# What Python reports before it changes files.
_CHANGES = frozenset(
  ('open', 'os.mkdir', 'os.remove', 'os.rename', 'os.rmdir', 'os.truncate', 'shutil.rmtree')
)
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def fork(function: Callable[[], object]) -> int:
  """Runs `function` in a process of its own, whose number is returned; it leads a group."""
  sys.stdout.flush()
  process = os.fork()
  if process:
    with contextlib.suppress(OSError):  # the child may be faster, or gone
      os.setpgid(process, process)
    return process
  code = 1
  try:
    os.setpgid(0, 0)
    function()
    code = 0
  except SystemExit as end:
    code = end.code if isinstance(end.code, int) else int(end.code is not None)
  except BaseException:
    traceback.print_exc()
  finally:
    os._exit(code)


def await_end(process: int, is_due: Callable[[], bool] = lambda: False) -> int:
  """Returns the exit code of a process, which is killed when `is_due` says so: -SIGKILL then."""
  hangs = at_time(_HANG_SECONDS)
  while True:
    done, status = os.waitpid(process, os.WNOHANG)
    if done:
      return os.waitstatus_to_exitcode(status)
    has_hung = hangs()
    if has_hung or is_due():
      os.kill(process, signal.SIGKILL)
      code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
      assert not has_hung, f'A run did not end within {_HANG_SECONDS} s.'
      return code
    time.sleep(_POLL_SECONDS)


def at_time(seconds: float) -> Callable[[], bool]:
  """The moment `seconds` from now."""
  end = time.monotonic() + seconds
  return lambda: time.monotonic() >= end


def on_changes(folder: str, act: Callable[[int], None]) -> None:
  """Calls `act` in this process before each change of a file in `folder`, with its number from 1.

  Only changes that Python makes count, not those of TensorFlow's C++ code. There is no way back.
  """
  count = 0

  def look(event: str, arguments: tuple) -> None:
    nonlocal count
    if event not in _CHANGES or not isinstance(arguments[0], str | os.PathLike):
      return
    is_writing = event != 'open' or bool((arguments[2] or 0) & _WRITING)
    if is_writing and os.fspath(arguments[0]).startswith(folder):
      count += 1
      act(count)

  sys.addaudithook(look)


def end_group(process: int) -> None:
  """Kills what is left of the group of a process, such as its children."""
  with contextlib.suppress(ProcessLookupError):
    os.killpg(process, signal.SIGKILL)
