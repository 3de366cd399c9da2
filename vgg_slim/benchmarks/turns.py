"""Systems that take turns on one machine, each in a process of its own.

Whatever slows the machine down for a while slows all of them, so that ratios hold where absolute
times do not. A process of its own gives each system its threads, its allocator and a peak memory.
"""

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TextIO

from vgg_slim.benchmarks.workload import Workload
from vgg_slim.errors import BenchmarkError

Progress = Callable[[int, int], None]
_WITHOUT_WARMUP = ('cold_start', 'convert')  # whole runs, as users have them
_LAST_LINES = 3  # of a dead worker's stderr, for the message


class Contestant(NamedTuple):
  """A system and what it runs."""

  system: str
  workload: Workload


@dataclasses.dataclass
class Outcome:
  """What a contestant's turns came to.

  Attributes:
    system: its name.
    workload: what it ran.
    turns: seconds of each batch, one list a turn; without the warm-up.
    peak_bytes: of its process; None where the system does not say.
    absent: why it was not measured, or None.
  """

  system: str
  workload: Workload
  turns: list[list[float]] = dataclasses.field(default_factory=list)
  peak_bytes: int | None = None
  absent: str | None = None

  @property
  def seconds(self) -> list[float]:
    return [second for turn in self.turns for second in turn]


class AbsentError(Exception):
  """A worker that cannot run its workload; the message says why."""


class Worker:
  """A process that runs batches of a contestant; see `worker`. Use it as a context manager."""

  def __init__(self, contestant: Contestant, module: str) -> None:
    """Starts the process and waits until its network stands.

    Raises:
      AbsentError: the system is not installed, or has no such measurement.
      BenchmarkError: the process died.
    """
    self._system = contestant.system
    self._log = tempfile.TemporaryFile('w+')  # noqa: SIM115 (closed by __exit__)
    self._process = subprocess.Popen(
      [sys.executable, '-m', module],
      stdin=subprocess.PIPE,
      stdout=subprocess.PIPE,
      stderr=self._log,
      text=True,
      env=_environment(contestant.workload.threads),
    )
    try:
      self._send(contestant.system)
      answer = self._ask(dataclasses.asdict(contestant.workload))
      if 'absent' in answer:
        raise AbsentError(answer['absent'])
    except BaseException:
      self.__exit__()
      raise

  def __enter__(self) -> 'Worker':
    return self

  def __exit__(self, *exception: object) -> None:
    with contextlib.suppress(BrokenPipeError):
      self._process.stdin.close()
    self._process.stdout.close()
    if exception and exception[0]:
      self._process.terminate()
    self._process.wait()
    self._log.close()

  def run(self, num_batches: int) -> tuple[list[float], int | None]:
    """Seconds of `num_batches` batches, and the peak memory so far in bytes."""
    answer = self._ask(num_batches)
    return answer['seconds'], answer['peak_bytes']

  def _send(self, value: Any) -> None:
    with contextlib.suppress(BrokenPipeError):  # the missing answer tells more
      print(json.dumps(value), file=self._process.stdin, flush=True)

  def _ask(self, value: Any) -> dict[str, Any]:
    self._send(value)
    line = self._process.stdout.readline()
    if not line:
      self._process.wait()
      raise BenchmarkError(
        f'{self._system} ended with code {self._process.returncode}: {_last_lines(self._log)}'
      )
    return json.loads(line)


class ColdStart:
  """Like `Worker`, but each batch is a process from its start to its first result."""

  def __init__(self, contestant: Contestant, module: str) -> None:
    self._contestant, self._module = contestant, module

  def __enter__(self) -> 'ColdStart':
    return self

  def __exit__(self, *exception: object) -> None:
    pass

  def run(self, num_batches: int) -> tuple[list[float], int | None]:
    seconds, peaks = [], []
    for _ in range(num_batches):
      started = time.perf_counter()
      with Worker(self._contestant, self._module) as worker:
        peaks.append(worker.run(1)[1])
        seconds.append(time.perf_counter() - started)
    return seconds, peaks[-1] if peaks else None


def run_turns(
  contestants: Sequence[Contestant],
  num_batches: int,
  warmup: int,
  turns: int,
  module: str,
  progress: Progress | None = None,
) -> list[Outcome]:
  """Runs all contestants, `turns` times one after the other.

  Args:
    contestants: all of their processes live at once.
    num_batches: of each contestant, spread evenly over the turns; at least one a turn.
    warmup: batches before the first turn, which do not count; cold starts and conversions have
      none.
    turns: how often each comes to run.
    module: that the processes run, `worker` or what speaks like it.
    progress: called with (turns of contestants done, in all).

  Raises:
    BenchmarkError: a process died.
  """
  outcomes = [Outcome(*contestant) for contestant in contestants]
  with contextlib.ExitStack() as stack:
    workers = []
    for outcome in outcomes:
      cold = outcome.workload.what == 'cold_start'
      start = ColdStart if cold else Worker
      try:
        worker = stack.enter_context(start(Contestant(outcome.system, outcome.workload), module))
        worker.run(0 if outcome.workload.what in _WITHOUT_WARMUP else warmup)
      except AbsentError as error:
        outcome.absent = str(error)
      else:
        workers.append((worker, outcome))
    for turn in range(turns):
      for place, (worker, outcome) in enumerate(list(workers), start=1):
        try:
          seconds, outcome.peak_bytes = worker.run(max(1, num_batches // turns))
          outcome.turns.append(seconds)
        except AbsentError as error:  # of a cold start, which tries when its turn comes
          outcome.absent = str(error)
          workers.remove((worker, outcome))
        if progress:
          progress(turn * len(workers) + place, turns * len(workers))
  return outcomes


def _environment(threads: int) -> dict[str, str]:
  """Ours, with the threads of TensorFlow and of torch."""
  number = str(threads)
  return {
    **os.environ,
    'PYTHONPATH': os.pathsep.join(filter(None, sys.path)),
    'TF_NUM_INTRAOP_THREADS': number,
    'OMP_NUM_THREADS': number,
  }


def _last_lines(log: TextIO) -> str:
  log.seek(0)
  lines = [line.strip() for line in log if line.strip()]
  return ' | '.join(lines[-_LAST_LINES:]) or 'it said nothing'
