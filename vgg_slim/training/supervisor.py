"""Keeps the worker processes of one machine running until their work is done. No TensorFlow.

When a worker is lost, the next exchange of the others fails, and TensorFlow does not let the worker
rejoin. All workers are therefore stopped and started again, and resume from the newest checkpoint.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from vgg_slim.errors import ConfigError
from vgg_slim.signal_copies import SignalCopies
from vgg_slim.training import cluster
from vgg_slim.wording import counted

# Exit codes that are not retried: the worker's message says what the user has to fix.
_FINAL_CODES = (1, 2)
_POLL_SECONDS = 0.1
# Time in which all workers can report their exit codes, before those that hang are killed.
_GRACE_SECONDS = 2.0
_FIRST_DELAY, _LONGEST_DELAY = 1.0, 30.0
# Signals that are sent to the workers. They have no terminal and do not handle SIGHUP.
_PASSED_ON = {
  signal.SIGINT: signal.SIGINT,
  signal.SIGTERM: signal.SIGTERM,
  signal.SIGHUP: signal.SIGTERM,
}
_PR_SET_PDEATHSIG = 1  # option of Linux's prctl
_STEADY_SECONDS = 60.0  # after a run of this length, the delay starts again at _FIRST_DELAY


class Supervisor:
  """Starts a command once for each worker, and all of them again whenever one is lost."""

  def __init__(
    self, command: Sequence[str], num_workers: int, report_fn: Callable[[str], None]
  ) -> None:
    """Starts nothing yet.

    Args:
      command: program and arguments.
      num_workers: number of processes on this machine. A single one inherits TF_CONFIG; several get
        a TF_CONFIG that names only them.
      report_fn: function that receives a line about every lost worker.

    Raises:
      ConfigError: there are several workers, but TF_CONFIG already names others.
    """
    if num_workers > 1 and os.environ.get(cluster.TF_CONFIG):
      raise ConfigError(
        f'{cluster.TF_CONFIG} is set and already names the workers; unset it to start '
        f'{counted(num_workers, "worker")} on this machine alone.'
      )
    self._command, self._num_workers, self._report_fn = list(command), num_workers, report_fn
    self._signals: list[int] = []

  def run(self) -> int:
    """Runs until all workers have succeeded, one reports a user error, or a signal arrives.

    The first SIGINT, SIGTERM or SIGHUP is passed on to the workers; a second one kills them,
    unless it comes within half a second.

    Returns:
      The exit code: 0, or that of the worker that failed; 128 + N if signal N ended it.
    """
    with self._handle_signals():
      delay = _FIRST_DELAY
      while True:
        started = time.monotonic()
        code = self._run_once()
        if code == 0 or code in _FINAL_CODES or self._signals:
          return code
        if time.monotonic() - started > _STEADY_SECONDS:
          delay = _FIRST_DELAY
        self._report_fn(f'A worker ended with code {code}; all start again in {delay:g} s.')
        self._sleep(delay)
        if self._signals:
          return code
        delay = min(2 * delay, _LONGEST_DELAY)

  def _run_once(self) -> int:
    workers = []
    libc = ctypes.CDLL(None)  # loaded here: loading a library after the fork is not safe
    try:
      for environment in self._environments():
        # In a new session; otherwise Ctrl-C in a terminal would reach the worker twice.
        worker = subprocess.Popen(
          self._command,
          env=environment,
          start_new_session=True,
          preexec_fn=lambda: _end_with_parent(libc),
        )
        workers.append(worker)
      self._watch(workers)
      return _common_code(_poll(workers))
    except OSError as error:
      raise ConfigError(f'{self._command[0]} cannot be started: {error.strerror}.') from error
    finally:
      for worker in workers:
        worker.kill()
        worker.wait()

  def _watch(self, workers: Sequence[subprocess.Popen]) -> None:
    """Waits until all workers have ended, or for a grace period after one has failed."""
    passed_on = 0
    while None in _poll(workers):
      if any(_poll(workers)):
        _wait(workers, _GRACE_SECONDS)
        return
      for number in self._signals[passed_on:]:
        for worker in workers:
          worker.send_signal(
            _PASSED_ON[signal.Signals(number)] if passed_on == 0 else signal.SIGKILL
          )
        passed_on += 1
      time.sleep(_POLL_SECONDS)

  def _environments(self) -> list[Mapping[str, str]]:
    if self._num_workers == 1:
      return [os.environ]
    clusters = cluster.local_clusters(self._num_workers)
    return [{**os.environ, cluster.TF_CONFIG: local.to_json()} for local in clusters]

  def _sleep(self, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and not self._signals:
      time.sleep(_POLL_SECONDS)

  @contextlib.contextmanager
  def _handle_signals(self) -> Iterator[None]:
    copies = SignalCopies()

    def handle(number: int, frame: object) -> None:
      if not copies.is_copy():
        self._signals.append(number)

    # SIGHUP stays ignored if it is ignored already, as under nohup.
    numbers = [n for n in _PASSED_ON if n != signal.SIGHUP or signal.getsignal(n) != signal.SIG_IGN]
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
      yield
    finally:
      for number, handler in before.items():
        signal.signal(number, handler)


def _end_with_parent(libc: ctypes.CDLL) -> None:
  """Asks Linux to send this worker SIGTERM when the supervisor ends, even if it is killed."""
  libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))


def _poll(workers: Sequence[subprocess.Popen]) -> list[int | None]:
  return [worker.poll() for worker in workers]


def _wait(workers: Sequence[subprocess.Popen], seconds: float) -> None:
  end = time.monotonic() + seconds
  while None in _poll(workers) and time.monotonic() < end:
    time.sleep(_POLL_SECONDS)


def _common_code(codes: Sequence[int | None]) -> int:
  """One exit code for all workers; None stands for a worker that still runs."""
  failed = [128 - code if code < 0 else code for code in codes if code]
  final = [code for code in failed if code in _FINAL_CODES]
  return next(iter(final or failed), 0)
