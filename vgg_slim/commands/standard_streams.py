"""Standard output and error of a command: closed, full, in any encoding, with a reader or without.

No TensorFlow.
"""

import contextlib
import errno
import io
import os
import signal
import sys
from collections.abc import Iterator
from typing import NoReturn

from vgg_slim.errors import describe_file_error

NAME = 'standard output'


@contextlib.contextmanager
def prepared(command: str) -> Iterator[None]:
  """Within the block the standard streams exist, and print any text; after it, all is written.

  Ends the command silently when the reader of its output, such as `head`, closes the pipe, and with
  exit code 1 and one line when the output cannot be written and nothing else went wrong.

  Args:
    command: name of the command, for the message.
  """
  open_missing()
  for stream in (sys.stdout, sys.stderr):
    if isinstance(stream, io.TextIOWrapper):
      stream.reconfigure(errors='backslashreplace')  # names of files, in a locale such as C
  try:
    yield
  except SystemExit as end:
    _flush(command, has_failed=bool(end.code))
    raise
  except BrokenPipeError:
    _leave_silently()
  except OSError as error:
    _leave(command, error)
  _flush(command, has_failed=False)


def open_missing() -> None:
  """Opens the null device where the command was started without a standard stream.

  Otherwise the next file that is opened would become standard output or error, and receive what
  C++ code logs there.
  """
  for number in range(3):
    try:
      os.fstat(number)
    except OSError:
      os.open(os.devnull, os.O_RDWR)  # gets the lowest free number
  for name, mode in (('stdin', 'r'), ('stdout', 'w'), ('stderr', 'w')):
    if getattr(sys, name) is None:
      setattr(sys, name, open(os.devnull, mode, encoding='utf-8'))  # noqa: SIM115 (until the end)


def may_be_of_output(error: OSError) -> bool:
  """Whether an error can be one of writing to a stream, which has no name and exists."""
  return error.filename is None and error.errno != errno.ENOENT


def is_output_lost() -> bool:
  """Whether standard output cannot be written; writes a line break to find out.

  What could not be written before is lost, so that to flush the stream would not fail again.
  """
  stream = sys.__stdout__ or sys.stdout  # not the one that writes JSON
  try:
    stream.write('\n')
    stream.flush()
  except OSError:
    return True
  return False


def _flush(command: str, has_failed: bool) -> None:
  try:
    sys.stdout.flush()
  except BrokenPipeError:
    _leave_silently()
  except OSError as error:
    if not has_failed:
      _leave(command, error)
    _drop_output()


def _leave_silently() -> None:
  _drop_output()
  sys.exit(128 + signal.SIGPIPE)


def _leave(command: str, error: OSError) -> NoReturn:
  if may_be_of_output(error):
    _drop_output()
    problem = f'{NAME} cannot be written: {error.strerror}'
  else:
    problem = describe_file_error(error)
  print(f'{command}: error: {problem}.', file=sys.stderr)
  sys.exit(1)


def _drop_output() -> None:
  """Discards what is left to write; otherwise Python's own flush at exit would fail again."""
  null = os.open(os.devnull, os.O_WRONLY)
  os.dup2(null, sys.stdout.fileno())
  os.close(null)
