"""One command that is killed until it has been killed often enough."""

import dataclasses
import os
import pathlib
import random
import shutil
import signal
import time
from collections.abc import Callable

from tests.faults import lives, states
from tests.faults.subjects import Subject

_SHARE_BEFORE_CHANGES = 0.5
_SHARE_OF_GROUPS = 0.5  # kills that end the children as well, as when a container is stopped
HEADING = (
  '| command | kills | right before a change | left something | whole ends | lost |\n'
  '|---|---|---|---|---|---|'
)


@dataclasses.dataclass
class Tally:
  """What was killed.

  Attributes:
    kills: number of processes that were killed.
    before_changes: number of those that were about to change a file.
    with_rest: number of those that left temporary files.
    ends: number of times that the command ended and was compared.
  """

  kills: int = 0
  before_changes: int = 0
  with_rest: int = 0
  ends: int = 0

  def row(self, name: str) -> str:
    numbers = (self.kills, self.before_changes, self.with_rest, self.ends, 0)
    return f'| {name} | {" | ".join(map(str, numbers))} |'


class Campaign:
  """Kills a command in a folder of its own, and compares what it leaves with `whole`."""

  def __init__(
    self, subject: Subject, name: str, inputs: pathlib.Path, draw: random.Random
  ) -> None:
    """Runs the command once without a kill.

    Args:
      subject: the command.
      name: name of the folder.
      inputs: folder of the inputs.
      draw: source of the moments.
    """
    self._subject, self._inputs, self._draw = subject, inputs, draw
    folder = inputs / name.replace(', ', '_')
    self._whole, self._killed = folder / 'whole', folder / 'killed'
    self._log, self._count = folder / 'log.txt', folder / 'changes.txt'
    self._tally = Tally()
    subject.prepare(self._whole)
    start = time.monotonic()
    self._check_end(lives.await_end(lives.fork(lambda: self._live(self._whole, self._write_count))))
    self._seconds = time.monotonic() - start
    self._changes = int(self._count.read_text())

  def run(self, kills: int) -> Tally:
    """Kills until `kills` are made and the command has ended after the last, then compares."""
    self._subject.prepare(self._killed)
    while self._tally.kills < kills:
      self._kill_once()
    self._check_end(lives.await_end(lives.fork(lambda: self._live(self._killed))))
    self._compare_end()
    return self._tally

  def _kill_once(self) -> None:
    is_before_change = self._draw.random() < _SHARE_BEFORE_CHANGES
    if is_before_change:
      last = self._draw.randint(1, self._changes)
      process = lives.fork(lambda: self._live(self._killed, lambda n: _die(n == last)))
      code = lives.await_end(process)
    else:
      moment = self._draw.uniform(0, 1.1 * self._seconds)
      process = lives.fork(lambda: self._live(self._killed))
      code = lives.await_end(process, lives.at_time(moment))
    if self._draw.random() < _SHARE_OF_GROUPS:
      lives.end_group(process)
    if code != -signal.SIGKILL:
      self._check_end(code)
      self._compare_end()
      self._subject.prepare(self._killed)
      return
    self._tally.kills += 1
    self._tally.before_changes += is_before_change
    written = states.check_outputs(self._subject, self._whole, self._killed)
    kept = (*written, *self._subject.replaced)
    rest = (name for name in states.list_files(self._killed) if name != 'tmp')
    self._tally.with_rest += any(not kept or not name.startswith(kept) for name in rest)

  def _compare_end(self) -> None:
    try:
      states.check_same(self._whole, self._killed)
    except AssertionError as error:
      raise AssertionError(f'{error}\n{self._message()}') from error
    shutil.rmtree(self._killed)
    self._tally.ends += 1

  def _live(self, folder: pathlib.Path, act: Callable[[int], None] | None = None) -> None:
    if act:
      lives.on_changes(str(folder), act)
    self._subject.start(self._inputs, folder, self._log)

  def _write_count(self, number: int) -> None:
    self._count.write_text(str(number))

  def _check_end(self, code: int) -> None:
    # A process may have been killed when its output was complete, which the next one refuses.
    assert code == 0 or (code == 2 and 'exist' in self._message()), f'{code}: {self._message()}'

  def _message(self) -> str:
    log = self._log.read_text(encoding='utf-8', errors='replace')
    return f'{self._subject.command}: {log[-3000:]}'


def _die(is_due: bool) -> None:
  if is_due:
    os.kill(os.getpid(), signal.SIGKILL)
