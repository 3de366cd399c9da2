"""What else happens to commands: full disks, missing permissions, signals, two at once.

After each accident, the exit code is a documented one, one line on stderr says what is wrong, and
each output is the old one or the new one.
"""

import contextlib
import dataclasses
import functools
import itertools
import os
import pathlib
import random
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator

from tests.faults import lives, states
from tests.faults.subjects import Subject

HEADING = '| accident | times tried | survived | lost | a message |\n|---|---|---|---|---|'
_CODES = (0, 1, 2, 128 + signal.SIGINT, 128 + signal.SIGTERM)
_LEFT_AT_ONCE = 'Interrupted.'  # by a second Ctrl-C during a step of training
_NOBODY = 65534  # number of a user who owns nothing
_SECONDS_BETWEEN_SIGNALS = (0.001, 0.05, 0.3)


@contextlib.contextmanager
def _as_it_is(folder: pathlib.Path) -> Iterator[None]:
  yield


@contextlib.contextmanager
def _small_disk(kilobytes: int, folder: pathlib.Path) -> Iterator[None]:
  """Mounts a small disk, where that is permitted."""
  mount = ['mount', '-t', 'tmpfs', '-o', f'size={kilobytes}k', 'tmpfs', str(folder)]
  is_mounted = subprocess.run(mount, capture_output=True, timeout=60).returncode == 0
  try:
    yield
  finally:
    if is_mounted:
      subprocess.run(['umount', str(folder)], check=True, timeout=60)


@dataclasses.dataclass(frozen=True)
class Accident:
  """What happens to a command.

  Attributes:
    prepare: called in its process before it starts.
    around: context in which it runs, of the folder of its outputs.
    signals: signals that it gets from a random time on.
    copies: number of processes that are started at once.
    is_allowed: whether the machine and the user allow it.
  """

  prepare: Callable[[], None] = lambda: None
  around: Callable[[pathlib.Path], contextlib.AbstractContextManager[None]] = _as_it_is
  signals: tuple[int, ...] = ()
  copies: int = 1
  is_allowed: bool = True


def _limit_files(size: int) -> None:
  resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def _fill_output() -> None:
  os.dup2(os.open('/dev/full', os.O_WRONLY), 1)


def _set_folders(folder: str | None) -> None:
  """Sets the folders of the user and for temporary files; None removes the variables."""
  for name in ('HOME', 'TMPDIR', 'XDG_CACHE_HOME'):
    os.environ.pop(name, None)
    if folder:
      os.environ[name] = folder
  tempfile.tempdir = None


def _turn_clock_back() -> None:
  """Has the clock go back by an hour whenever Python reads it."""
  start, hours = time.time(), itertools.count()
  time.time = lambda: start - 3600 * next(hours)


_IS_ROOT = os.getuid() == 0
ACCIDENTS = {
  'disk of 8 kB': Accident(around=functools.partial(_small_disk, 8), is_allowed=_IS_ROOT),
  'disk of 64 kB': Accident(around=functools.partial(_small_disk, 64), is_allowed=_IS_ROOT),
  'no file may exceed 3,000 bytes': Accident(lambda: _limit_files(3000)),
  'no file may exceed 20,000 bytes': Accident(lambda: _limit_files(20_000)),
  'folder of another user': Accident(lambda: os.setuid(_NOBODY), is_allowed=_IS_ROOT),
  'standard output on a full disk': Accident(_fill_output),
  'HOME and TMPDIR unset': Accident(lambda: _set_folders(None)),
  'HOME and TMPDIR not writable': Accident(lambda: _set_folders('/proc/none')),
  'clock that goes backwards': Accident(_turn_clock_back),
  'Ctrl-C': Accident(signals=(signal.SIGINT,)),
  'Ctrl-C twice': Accident(signals=(signal.SIGINT,) * 2),
  'SIGTERM': Accident(signals=(signal.SIGTERM,)),
  'SIGTERM twice': Accident(signals=(signal.SIGTERM,) * 2),
  'two of one command at once': Accident(copies=2),
}


class Series:
  """Accidents of one command; `whole` is what it writes without one."""

  def __init__(
    self, subject: Subject, name: str, inputs: pathlib.Path, draw: random.Random
  ) -> None:
    """Runs the command once without an accident; see `campaign.Campaign` for the arguments."""
    self._subject, self._inputs, self._draw = subject, inputs, draw
    self._folder = inputs / f'accidents of {name}'
    self._whole = self._folder / 'whole'
    inputs.chmod(0o755)  # for another user
    subject.prepare(self._whole)
    start = time.monotonic()
    assert lives.await_end(self._start(self._whole, Accident(), 0)) == 0, self._text(0)
    self._seconds = time.monotonic() - start

  def run(self, accident: Accident) -> str:
    """Has the accident happen, and returns the message of the command; '' if it succeeded.

    Raises:
      AssertionError: something was lost, or the message is not one line.
    """
    folder = self._folder / 'life'
    folder.mkdir()
    with accident.around(folder):
      self._subject.prepare(folder)
      processes = [self._start(folder, accident, i) for i in range(accident.copies)]
      self._send(processes[0], accident.signals)
      codes = [lives.await_end(process) for process in processes]
      messages = [self._check_message(code, i) for i, code in enumerate(codes)]
      states.check_outputs(self._subject, self._whole, folder)
    shutil.rmtree(folder)
    return max(messages)

  def _start(self, folder: pathlib.Path, accident: Accident, number: int) -> int:
    def live() -> None:
      signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in background jobs
      self._subject.start(self._inputs, folder, self._log(number), accident.prepare)

    return lives.fork(live)

  def _send(self, process: int, signals: tuple[int, ...]) -> None:
    if signals:
      time.sleep(self._draw.uniform(0.2, 1) * self._seconds)
    for number in signals:
      with contextlib.suppress(ProcessLookupError):
        os.kill(process, number)
      time.sleep(self._draw.choice(_SECONDS_BETWEEN_SIGNALS))

  def _check_message(self, code: int, number: int) -> str:
    text = self._text(number)
    if code == -signal.SIGTERM:  # the second one ends a process at once
      return ''
    lines = text.splitlines()
    messages = [line for line in lines if ': error: ' in line or line == _LEFT_AT_ONCE]
    assert code in _CODES, f'{code}: {text}'
    assert len(messages) == (code != 0), f'{code}: {text}'
    assert 'Traceback' not in text, text
    assert 'Exception ignored' not in text, text
    return messages[0] if messages else ''

  def _log(self, number: int) -> pathlib.Path:
    return self._folder / f'log{number}.txt'

  def _text(self, number: int) -> str:
    return self._log(number).read_text(encoding='utf-8', errors='replace')[-5000:]


def run_all(series: dict[str, Series], times: int) -> Iterator[str]:
  """Has each accident happen to each command, and yields a row of a table for each accident."""
  for name, accident in ACCIDENTS.items():
    if not accident.is_allowed:
      yield f'| {name} | not permitted here | | | |'
      continue
    messages = [one.run(accident) for one in series.values() for _ in range(times)]
    shown = max(messages, key=len).partition(': error: ')[2]
    yield f'| {name} | {len(messages)} | {len(messages)} | 0 | {shown} |'
