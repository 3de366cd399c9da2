"""Kills training again and again, and compares its end with that of an uninterrupted run.

    python -m tests.kills --kills=80 --seed=0      (or `make kills`)

Every run is killed by SIGKILL at a random moment or inside a save, and started again by the same
command, until it ends. Then its folder has to hold the same files as that of the uninterrupted run,
with the same numbers bit for bit, and nothing else.

TensorFlow is imported once, and each life of a run is a fork of that process; see `tests.mutation`.
"""

import argparse
import dataclasses
import importlib
import os
import pathlib
import random
import re
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence

from tests.faults import lives, states
from tests.testing import make_data_set
from vgg_slim.checkpoints import prefixes
from vgg_slim.commands import invocation
from vgg_slim.training import history

PRELOADED = (
  'vgg_slim.api',
  'vgg_slim.commands.train',
  'vgg_slim.evaluation.eval_config',
  'vgg_slim.evaluation.runner',
  'vgg_slim.evaluation.validation',
  'vgg_slim.training.loop',
)
# Everything that has a state of its own: averages, the plateau, the best epoch, early stopping.
RUN_FLAGS = (
  *('--model=vgg_a@8', '--fc_units=8', '--initializer=glorot', '--batch_size=4'),
  *('--max_steps=12', '--save_every_steps=1', '--keep_checkpoints=3', '--log_every_steps=1'),
  *('--learning_rate=1e-3', '--learning_rate_decay_type=plateau', '--plateau_patience=1'),
  *('--moving_average_decay=0.9', '--keep_best', '--early_stop_patience=9'),
  '--image_summary_every_steps=0',
)
_SHARE_INSIDE_SAVES = 0.45
_KILLS_A_LINE = 20


@dataclasses.dataclass
class Tally:
  """What was killed.

  Attributes:
    kills: number of runs that were killed.
    inside_saves: number of those that had begun a save, so that files of it were left.
    ends: number of runs that ended and were compared.
    left: kinds of files that were left in saves, with their number.
  """

  kills: int = 0
  inside_saves: int = 0
  ends: int = 0
  left: Counter = dataclasses.field(default_factory=Counter)

  def count_kill(self, left: set[str]) -> None:
    self.kills += 1
    self.inside_saves += bool(left)
    self.left.update(map(_kind, left))

  def text(self) -> str:
    return (
      f'{self.kills} kills, {self.inside_saves} inside saves, {self.ends} ends as without a kill'
    )


def unfinished(folder: pathlib.Path) -> set[str]:
  """Names of the files that a save makes and that do not count yet."""
  listed = prefixes.read_state(str(folder))
  unlisted = {path.name for path in prefixes.list_run_files(str(folder)) if path.stem not in listed}
  temporary = {path.name for pattern in ('*.tempstate*', '.*.tmp') for path in folder.glob(pattern)}
  return unlisted | temporary


def check_same_end(whole: pathlib.Path, killed: pathlib.Path) -> None:
  """Raises AssertionError where two runs left other files, or other numbers in them."""
  names, found = _run_file_names(whole), _run_file_names(killed)
  assert found == names, f'{set(found) ^ set(names)} are in one of {whole} and {killed} alone'
  for name in names:
    if name.endswith('.index'):
      states.check_same_variables(whole / name, killed / name)
    elif name == history.METRICS_FILE:
      assert states.read_metrics(whole / name) == states.read_metrics(killed / name), name
    elif '.data-' not in name:
      assert (whole / name).read_bytes() == (killed / name).read_bytes(), name


def _run_file_names(folder: pathlib.Path) -> list[str]:
  """All files but those of TensorBoard: a killed run adds one of its own."""
  return sorted(
    path.relative_to(folder).as_posix()
    for path in folder.rglob('*')
    if path.is_file() and not path.name.startswith('events.')
  )


def _kind(name: str) -> str:
  """Name of a file without step, random part and shard."""
  return re.sub(r'\d+', 'N', re.sub(r'\.[0-9a-f]{32}\.', '.', name))


class InSave:
  """A moment inside a save: `delay` seconds after the first file of the `nth` from now is seen."""

  def __init__(self, folder: pathlib.Path, nth: int, delay: float) -> None:
    self._folder, self._nth, self._delay = folder, nth, delay
    self._before, self._was_saving = unfinished(folder), False

  def __call__(self) -> bool:
    is_saving = bool(unfinished(self._folder) - self._before)
    self._nth -= is_saving and not self._was_saving
    self._was_saving = is_saving
    if self._nth > 0 or not is_saving:
      return False
    time.sleep(self._delay)
    return True


class Killer:
  """Runs that are killed, in `folder`, which holds their data set and the uninterrupted run.

  Attributes:
    tally: what was done so far.
  """

  def __init__(self, folder: pathlib.Path, seed: int) -> None:
    """Makes the data set and the uninterrupted run."""
    self.tally = Tally()
    self._folder, self._random = folder, random.Random(seed)
    self._whole, self._killed = folder / 'whole', folder / 'killed'
    assert lives.await_end(lives.fork(lambda: make_data_set(folder / 'data', per_class=8))) == 0
    start = time.monotonic()
    self._end_uninterrupted(self._whole)
    self._seconds = time.monotonic() - start

  def kill_runs(self, kills: int) -> None:
    """Kills until `kills` are made, lets the last run end, and compares every end."""
    while self.tally.kills < kills:
      was_killed = self._live_once()
      if was_killed and self.tally.kills % _KILLS_A_LINE == 0:
        print(self.tally.text(), flush=True)
    self._end_uninterrupted(self._killed)
    self._compare_end()

  def _live_once(self) -> bool:
    """Returns whether the run was killed, and did not come to its end."""
    before = unfinished(self._killed)
    process = self._start(self._killed)
    code = lives.await_end(process, self._draw_moment())
    if code == -signal.SIGKILL:
      self.tally.count_kill(unfinished(self._killed) - before)
      return True
    assert code == 0, self._log()
    self._compare_end()
    return False

  def _draw_moment(self) -> Callable[[], bool]:
    draw = self._random
    if draw.random() < _SHARE_INSIDE_SAVES:
      return InSave(self._killed, draw.randrange(1, 6), draw.choice([0, 0, 0.0005, 0.002]))
    return lives.at_time(draw.uniform(0, 1.1 * self._seconds))

  def _compare_end(self) -> None:
    check_same_end(self._whole, self._killed)
    shutil.rmtree(self._killed)
    self.tally.ends += 1

  def _end_uninterrupted(self, train_dir: pathlib.Path) -> None:
    code = lives.await_end(self._start(train_dir))
    assert code == 0, self._log()

  def _start(self, train_dir: pathlib.Path) -> int:
    return lives.fork(lambda: self._train(train_dir))

  def _train(self, train_dir: pathlib.Path) -> None:
    from vgg_slim.commands import train  # its flags are not for the tests that import this module

    log = os.open(self._folder / 'log.txt', os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
      os.dup2(log, stream)
    folders = (f'--data_dir={self._folder / "data"}', f'--train_dir={train_dir}')
    invocation.run(train.main, ['train', *RUN_FLAGS, *folders])

  def _log(self) -> str:
    return (self._folder / 'log.txt').read_text(encoding='utf-8', errors='replace')[-3000:]


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
  parser = argparse.ArgumentParser(description='Kills training and compares its ends.')
  parser.add_argument('--kills', type=int, default=80, help='number of kills')
  parser.add_argument('--seed', type=int, default=0, help='of the moments')
  return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
  parsed = parse_arguments(arguments)
  for module in PRELOADED:
    importlib.import_module(module)
  folder = pathlib.Path(tempfile.mkdtemp(prefix='kills_'))
  print(f'The runs are in {folder}, which is kept if one of them ends differently.', flush=True)
  killer = Killer(folder, parsed.seed)
  killer.kill_runs(parsed.kills)
  print(f'{killer.tally.text()}. Left by kills: {dict(killer.tally.left)}.')
  shutil.rmtree(folder)


if __name__ == '__main__':
  main()
