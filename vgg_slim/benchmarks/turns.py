"""Measures systems in turns on one machine, each in its own process.

A temporary slowdown of the machine affects all of them, so their ratios hold even where absolute
times do not. Its own process gives each system its own threads, allocator and peak memory.
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
from typing import IO, Any, NamedTuple, TextIO, cast

from vgg_slim.benchmarks.workload import Workload
from vgg_slim.errors import BenchmarkError

Progress = Callable[[int, int], None]
_WITHOUT_WARMUP = ('cold_start', 'convert')  # whole runs, which users do not warm up either
_LAST_LINES = 3  # number of lines of a dead worker's stderr in the message


class Case(NamedTuple):
  """A system and the workload that it runs: one case of a benchmark."""

  system: str
  workload: Workload


@dataclasses.dataclass
class Outcome:
  """The measurements of one case.

  Attributes:
    system: name of the system.
    workload: the workload it ran.
    turns: seconds of each batch, one list per turn, without the warm-up.
    peak_bytes: peak memory of its process, in bytes; None where it is unknown.
    absent: reason why it was not measured, or None.
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
  """A worker cannot run its workload; the message gives the reason."""


class Worker:
  """A process that runs the batches of a case; see `worker`. Use it as a context manager."""

  def __init__(self, case: Case, module: str) -> None:
    """Starts the process and waits until its network is built.

    Raises:
      AbsentError: the system is not installed or does not support the workload.
      BenchmarkError: the process died.
    """
    self._system = case.system
    self._log = tempfile.TemporaryFile('w+')  # noqa: SIM115 (closed by __exit__)
    self._process = subprocess.Popen(
      [sys.executable, '-m', module],
      stdin=subprocess.PIPE,
      stdout=subprocess.PIPE,
      stderr=self._log,
      text=True,
      env=_environment(case.workload.threads),
    )
    # Both are pipes, as asked for above.
    self._stdin = cast(IO[str], self._process.stdin)
    self._stdout = cast(IO[str], self._process.stdout)
    try:
      self._send(case.system)
      answer = self._ask(dataclasses.asdict(case.workload))
      if 'absent' in answer:
        raise AbsentError(answer['absent'])
    except BaseException:
      self.__exit__()
      raise

  def __enter__(self) -> 'Worker':
    return self

  def __exit__(self, *exception: object) -> None:
    with contextlib.suppress(BrokenPipeError):
      self._stdin.close()
    self._stdout.close()
    if exception and exception[0]:
      self._process.terminate()
    self._process.wait()
    self._log.close()

  def run(self, num_batches: int) -> tuple[list[float], int | None]:
    """Returns the seconds of each of `num_batches` batches, and the peak memory so far in bytes."""
    answer = self._ask(num_batches)
    return answer['seconds'], answer['peak_bytes']

  def _send(self, value: Any) -> None:
    with contextlib.suppress(BrokenPipeError):  # `_ask` explains the missing answer
      print(json.dumps(value), file=self._stdin, flush=True)

  def _ask(self, value: Any) -> dict[str, Any]:
    self._send(value)
    line = self._stdout.readline()
    if not line:
      self._process.wait()
      raise BenchmarkError(
        f'{self._system} ended with code {self._process.returncode}: {_last_lines(self._log)}'
      )
    return json.loads(line)


class ColdStart:
  """Like `Worker`, but each batch is a new process, from its start to its first result."""

  def __init__(self, case: Case, module: str) -> None:
    self._case, self._module = case, module

  def __enter__(self) -> 'ColdStart':
    return self

  def __exit__(self, *exception: object) -> None:
    pass

  def run(self, num_batches: int) -> tuple[list[float], int | None]:
    seconds, peaks = [], []
    for _ in range(num_batches):
      started = time.perf_counter()
      with Worker(self._case, self._module) as worker:
        peaks.append(worker.run(1)[1])
        seconds.append(time.perf_counter() - started)
    return seconds, peaks[-1] if peaks else None


def run_turns(
  cases: Sequence[Case],
  num_batches: int,
  warmup: int,
  turns: int,
  module: str,
  progress: Progress | None = None,
) -> list[Outcome]:
  """Runs all cases one after the other, `turns` times.

  Args:
    cases: the cases to measure; all of their processes are alive at the same time.
    num_batches: number of batches per case, divided evenly over the turns; at least one per turn.
    warmup: number of batches before the first turn, which do not count; cold starts and conversions
      have none.
    turns: number of turns per case.
    module: name of the module that each process runs; implements the protocol of `worker`.
    progress: function called after each turn of a case with (turns done, total turns).

  Raises:
    BenchmarkError: a process died.
  """
  outcomes = [Outcome(*case) for case in cases]
  with contextlib.ExitStack() as stack:
    workers: list[tuple[Worker | ColdStart, Outcome]] = []
    for outcome in outcomes:
      start: type[Worker] | type[ColdStart]
      start = ColdStart if outcome.workload.what == 'cold_start' else Worker
      try:
        worker = start(Case(outcome.system, outcome.workload), module)
        stack.enter_context(worker)
        worker.run(0 if outcome.workload.what in _WITHOUT_WARMUP else warmup)
      except AbsentError as error:
        outcome.absent = str(error)
      else:
        workers.append((worker, outcome))
    for turn in range(turns):
      for position, (worker, outcome) in enumerate(list(workers), start=1):
        try:
          seconds, outcome.peak_bytes = worker.run(max(1, num_batches // turns))
          outcome.turns.append(seconds)
        except AbsentError as error:  # a cold start finds out only when its turn comes
          outcome.absent = str(error)
          workers.remove((worker, outcome))
        if progress:
          progress(turn * len(workers) + position, turns * len(workers))
  return outcomes


def _environment(threads: int) -> dict[str, str]:
  """This process's environment, with the number of threads for TensorFlow and torch."""
  number = str(threads)
  return {
    **os.environ,
    'PYTHONPATH': os.pathsep.join(filter(None, sys.path)),
    'TF_NUM_INTRAOP_THREADS': number,
    'OMP_NUM_THREADS': number,
    # On a GPU, TensorFlow would otherwise take all memory for the first of the processes.
    'TF_FORCE_GPU_ALLOW_GROWTH': 'true',
  }


def _last_lines(log: TextIO) -> str:
  log.seek(0)
  lines = [line.strip() for line in log if line.strip()]
  return ' | '.join(lines[-_LAST_LINES:]) or 'it wrote nothing to stderr'
