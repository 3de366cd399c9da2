"""Runs each row in a process of its own with a time limit. No TensorFlow."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import IO, Any

from benchmarks.gpu_check import rows
from benchmarks.gpu_check.rows import Outcome, Row
from vgg_slim import child_processes
from vgg_slim.wording import counted

_LONGEST_REASON = 300  # characters of another library's message
_LEAST_SECONDS = 5  # in which no row can import TensorFlow
CHILD = ('benchmarks.gpu_check.child',)


def run_rows(
  checks: Iterable[Row],
  size: str,
  folder: pathlib.Path,
  seconds: float,
  report: Callable[[Outcome], None],
  earlier: Sequence[Outcome] = (),
  child: Sequence[str] = CHILD,
) -> list[Outcome]:
  """Runs the rows one after the other.

  Args:
    checks: the rows.
    size: name of the size of the networks, see `settings.SIZES`.
    folder: existing folder for the files that the rows share.
    seconds: time limit of all rows together; rows for which it leaves no time are not possible.
    report: function called with each outcome as soon as it is known.
    earlier: outcomes of rows that ran before.
    child: module of the process of a row, with its first arguments.

  Returns:
    The outcomes, one for each row.
  """
  deadline = time.monotonic() + seconds
  over = 'the time for all rows is over; a higher --seconds allows more'
  known = {outcome.name: outcome for outcome in earlier}
  outcomes: list[Outcome] = []
  for row in checks:
    left = deadline - time.monotonic()
    reason = over if left < _LEAST_SECONDS else _obstacle(row, known)
    if reason:
      outcome = Outcome(row.name, row.about, rows.NOT_POSSIBLE, '', reason, 0.0)
    else:
      outcome = _run_row(row, size, folder, min(row.seconds, left), over, child)
    known[row.name] = outcome
    outcomes.append(outcome)
    report(outcome)
  return outcomes


def _obstacle(row: Row, known: Mapping[str, Outcome]) -> str | None:
  """Why a row need not start, by the outcomes of the rows before it."""
  device, reference = known.get(rows.DEVICE), known.get(rows.REFERENCE)
  if device and (found := len(device.values.get('gpus', ()))) < row.needs_gpus:
    return f'it needs {counted(row.needs_gpus, "GPU")}, TensorFlow finds {found}'
  if row.needs_reference and reference and reference.status != rows.OK:
    return f'the row {rows.REFERENCE}, with which it compares, did not succeed'
  return None


def _run_row(
  row: Row, size: str, folder: pathlib.Path, limit: float, over: str, child: Sequence[str]
) -> Outcome:
  started = time.monotonic()
  with (folder / f'{row.name}.log').open('w+b') as log:
    code = _wait(_start(row, size, folder, child, log), limit)
    log.seek(0)
    said = log.read()
  reply = _read_reply(folder / f'{row.name}.json') if code == 0 else None
  if reply is None and code is None and limit < row.seconds:
    reply = {'status': rows.NOT_POSSIBLE, 'where': '', 'reason': over}
  elif reply is None:
    reply = {'status': rows.FAILED, 'where': '', 'reason': _describe_end(code, limit, said)}
  return Outcome(row.name, row.about, seconds=time.monotonic() - started, **reply)


def _start(
  row: Row, size: str, folder: pathlib.Path, child: Sequence[str], log: IO[bytes]
) -> subprocess.Popen[bytes]:
  return subprocess.Popen(
    [sys.executable, '-m', *child, row.name, size, str(folder)],
    stdin=subprocess.DEVNULL,
    stdout=log,
    stderr=subprocess.STDOUT,
    env={**child_processes.environment(), 'TF_CPP_MIN_LOG_LEVEL': '1', **row.environment},
    start_new_session=True,  # so that its own children end with it
  )


def _wait(process: subprocess.Popen[bytes], limit: float) -> int | None:
  """Returns the exit code; None if the process was ended after `limit` seconds."""
  try:
    return process.wait(limit)
  except subprocess.TimeoutExpired:
    return None
  finally:
    # Also after its end, for the processes that it may have left.
    with contextlib.suppress(ProcessLookupError):
      os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _read_reply(path: pathlib.Path) -> dict[str, Any] | None:
  try:
    return json.loads(path.read_text(encoding='utf-8'))
  except (OSError, ValueError):
    return None


def _describe_end(code: int | None, limit: float, log: bytes) -> str:
  if code is None:
    return f'no answer after {counted(round(limit), "second")}; the process was ended'
  if code < 0:
    ended = f'the process was ended by {signal.Signals(-code).name}'
  else:
    ended = f'the process ended with exit code {code}'
  return f'{ended}: {child_processes.last_line(log, _LONGEST_REASON)}'
