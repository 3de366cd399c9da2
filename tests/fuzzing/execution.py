"""Runs a reader on damaged files, within limits, and notes what it must not have done."""

import contextlib
import dataclasses
import json
import logging
import os
import pathlib
import random
import resource
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from tests.fuzzing.damage import Damage, of_bytes
from vgg_slim.errors import VggSlimError, one_line

_MAX_SECONDS = 10  # of processor time; honest files take milliseconds
_MAX_WAIT = 120  # seconds in all, on a busy machine
_MAX_MEMORY = 2 << 30  # bytes more than at the start
_LONGEST_LINE = 2200  # characters of a message
_BATCH = 500  # executions of a child
_TIMERS = {signal.ITIMER_PROF: signal.SIGPROF, signal.ITIMER_REAL: signal.SIGALRM}


@dataclasses.dataclass(frozen=True)
class Reader:
  """A reader and the file that it reads, which gets damaged.

  Attributes:
    path: the file.
    read: reads it.
    damage: damages its content.
    samples: honest contents; by default the one of the file.
    has_child: whether the program, too, runs the reader in a child process, which may crash.
  """

  path: pathlib.Path
  read: Callable[[], Any]
  damage: Damage = of_bytes
  samples: tuple[bytes, ...] = ()
  has_child: bool = False


@dataclasses.dataclass
class Result:
  """Counts of a reader's outcomes, and what it must not have done.

  Attributes:
    outcomes: number of executions by name of the outcome.
    faults: descriptions of the faults by execution.
  """

  outcomes: Counter = dataclasses.field(default_factory=Counter)
  faults: dict[int, str] = dataclasses.field(default_factory=dict)

  def add(self, number: int, outcome: str, fault: str | None) -> None:
    self.outcomes[outcome] += 1
    if fault:
      self.faults[number] = fault


def fuzz(reader: Reader, executions: range, seed: int) -> Result:
  """Reads one damaged file for each number in `executions`; the file is honest again afterwards."""
  result = Result()
  with _honest_again(reader) as samples:
    for number in executions:
      result.add(number, *_execute(reader, samples, number, seed))
  return result


def fuzz_in_children(
  reader: Reader, executions: range, seed: int, seconds: float = float('inf')
) -> Result:
  """Like `fuzz`, in child processes, which may crash; ends early after `seconds`."""
  result = Result()
  end = time.monotonic() + seconds
  left = executions
  with _honest_again(reader) as samples:
    while left and time.monotonic() < end:
      before = sum(result.outcomes.values())
      status = _run_child(reader, samples, left[:_BATCH], seed, end, result)
      left = left[sum(result.outcomes.values()) - before :]
      if status and os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        result.add(left[0], f'child {name}', None if reader.has_child else f'{name} at an unknown')
        left = left[1:]
  return result


@contextlib.contextmanager
def _honest_again(reader: Reader) -> Iterator[tuple[bytes, ...]]:
  honest = reader.path.read_bytes()
  yield reader.samples or (honest,)
  reader.path.write_bytes(honest)


def _run_child(
  reader: Reader,
  samples: tuple[bytes, ...],
  executions: range,
  seed: int,
  end: float,
  result: Result,
) -> int:
  """Adds outcomes to `result` until the child has ended; returns its status."""
  sys.stdout.flush()
  source, sink = os.pipe()
  child = os.fork()
  if not child:
    try:
      _execute_all(reader, samples, executions, seed, end, sink)
    finally:
      os._exit(0)  # also after an error, such as a parent that has ended
  os.close(sink)
  with os.fdopen(source, encoding='utf-8') as lines:
    for line in lines:
      result.add(*json.loads(line))
  return os.waitpid(child, 0)[1]


def _execute_all(
  reader: Reader, samples: tuple[bytes, ...], executions: range, seed: int, end: float, sink: int
) -> None:
  """Writes a line to `sink` for each execution, in a child."""
  os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what C libraries print
  resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
  for number in executions:
    if time.monotonic() > end:
      break
    # Ends loops in C, which no handler of a signal interrupts.
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = int(time.process_time()) + 2 * _MAX_SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))
    line = json.dumps([number, *_execute(reader, samples, number, seed)])
    os.write(sink, f'{line}\n'.encode())


def _execute(
  reader: Reader, samples: tuple[bytes, ...], number: int, seed: int
) -> tuple[str, str | None]:
  """Returns the name of the outcome, and what is wrong with it."""
  draw = random.Random(f'{seed}/{number}')
  reader.path.write_bytes(reader.damage(samples[number % len(samples)], draw))
  start = time.process_time()
  with _captured_warnings() as lines:
    outcome, fault = _outcome_of(reader.read, reader.has_child)
  seconds = time.process_time() - start
  if seconds > _MAX_SECONDS:
    fault = fault or f'{seconds:.0f} s'
  long = [line for line in lines if len(line) > _LONGEST_LINE or '\n' in line]
  return outcome, fault or (f'a warning of {len(long[0])} characters' if long else None)


def _outcome_of(read: Callable[[], Any], has_child: bool) -> tuple[str, str | None]:
  try:
    with _limits():
      read()
  except VggSlimError as error:
    line = one_line(error)
    if not line or len(line) > _LONGEST_LINE:
      return 'refused', f'a message of {len(line)} characters'
    return 'refused', None if has_child else _hidden_memory_error(error)
  except Exception as error:
    where = traceback.extract_tb(error.__traceback__)[-1]
    return 'fault', f'{type(error).__name__} at {where.filename}:{where.lineno}: {str(error)[:200]}'
  return 'read', None


def _hidden_memory_error(error: BaseException | None) -> str | None:
  """Returns the origin of an error that came from a lack of memory; only the limit prevented it."""
  while error is not None:
    if isinstance(error, MemoryError) and error.__traceback__:
      where = traceback.extract_tb(error.__traceback__)[-1]
      return f'MemoryError at {where.filename}:{where.lineno}: caught, and reported as damage'
    error = error.__cause__ or error.__context__
  return None


@contextlib.contextmanager
def _captured_warnings() -> Iterator[list[str]]:
  """Yields a list to which the warnings of the library are added as they are printed."""
  lines: list[str] = []

  class Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
      lines.append(record.getMessage())

  logger = logging.getLogger('vgg_slim')
  handler = Handler()
  logger.addHandler(handler)
  propagates, logger.propagate = logger.propagate, False
  try:
    yield lines
  finally:
    logger.removeHandler(handler)
    logger.propagate = propagates


@contextlib.contextmanager
def _limits() -> Iterator[None]:
  """Lets a reader that needs too much memory or time fail."""
  pages = int(pathlib.Path('/proc/self/statm').read_text(encoding='utf-8').split()[0])
  before = resource.getrlimit(resource.RLIMIT_AS)
  limit = pages * resource.getpagesize() + _MAX_MEMORY
  handlers = {number: signal.signal(number, _end_in_time) for number in _TIMERS.values()}
  resource.setrlimit(resource.RLIMIT_AS, (limit, before[1]))
  for timer, seconds in ((signal.ITIMER_PROF, _MAX_SECONDS), (signal.ITIMER_REAL, _MAX_WAIT)):
    signal.setitimer(timer, seconds)
  try:
    yield
  finally:
    for timer, number in _TIMERS.items():
      signal.setitimer(timer, 0)
      signal.signal(number, handlers[number])
    resource.setrlimit(resource.RLIMIT_AS, before)


def _end_in_time(number: int, frame: object) -> None:
  raise TimeoutError(f'more than {_MAX_SECONDS} s of processor time, or {_MAX_WAIT} s in all')
