"""What a run starts from, decided by the files of its folder alone, and what they make way for."""

import contextlib
import os
import pathlib
from collections.abc import Iterator
from typing import NamedTuple

from vgg_slim import tensorboard
from vgg_slim.checkpoints import prefixes, search
from vgg_slim.configs.config import BEST_FOLDER, CONFIG_FILE
from vgg_slim.errors import CheckpointError
from vgg_slim.training import history
from vgg_slim.training.hooks import tracing
from vgg_slim.training.hooks.recorder import VALIDATION_FOLDER

# What training writes, as patterns below its folder; checkpoints are listed besides.
_PATTERNS = (
  prefixes.STATE_FILE,
  CONFIG_FILE,
  history.METRICS_FILE,
  tensorboard.EVENT_FILES,
  f'{BEST_FOLDER}/{prefixes.STATE_FILE}',
  f'{BEST_FOLDER}/{CONFIG_FILE}',
  f'{VALIDATION_FOLDER}/{tensorboard.EVENT_FILES}',
  f'{tracing.PROFILE_FOLDER}/{tracing.FILES}',
)
_FOLDERS = (BEST_FOLDER, VALIDATION_FOLDER, tracing.PROFILE_FOLDER)


class Start(NamedTuple):
  """Where a run starts.

  Attributes:
    checkpoint: prefix of the checkpoint that it goes on from; None for a new run.
    step: global step of the checkpoint, or 0.
    passed_over: newer checkpoints, which are damaged.
    is_recorded: whether the epoch end at the step was recorded, which is the last that is done
      there: a checkpoint is written before its validation.
  """

  checkpoint: str | None
  step: int
  passed_over: tuple[search.Damage, ...] = ()
  is_recorded: bool = False

  def lines(self) -> Iterator[str]:
    """What to tell the user."""
    for damage in self.passed_over:
      yield f'{damage}. It is removed when the next checkpoint is saved.'
    if self.checkpoint:
      yield f'Resuming from {self.checkpoint}.'


def decide(train_dir: str, overwrite: bool = False) -> Start:
  """Finds the newest whole checkpoint in `train_dir`.

  Args:
    train_dir: folder of the run; it need not exist.
    overwrite: whether the run starts at step 0 whatever the folder holds.

  Raises:
    CheckpointError: the folder holds a run, but no checkpoint of it is whole.
  """
  if overwrite:
    return Start(None, 0)
  newest, passed_over = search.search(train_dir)
  if newest:
    step = search.global_step(newest)
    return Start(newest, step, passed_over, history.has_row(train_dir, step))
  if passed_over or os.path.exists(os.path.join(train_dir, history.METRICS_FILE)):
    damages = '; '.join(map(str, passed_over)) or f'there is {history.METRICS_FILE} alone'
    raise CheckpointError(
      f'{train_dir} holds a run without a checkpoint that is whole: {damages}. Give --overwrite to '
      'remove this run and start again at step 0, or another --train_dir.'
    )
  return Start(None, 0)


def check_is_own(train_dir: str) -> None:
  """Raises CheckpointError where `train_dir` is the folder in which another run keeps its best."""
  folder = pathlib.Path(train_dir).resolve()
  if folder.name == BEST_FOLDER and (folder.parent / CONFIG_FILE).is_file():
    raise CheckpointError(
      f'{train_dir} is where the run in {folder.parent} keeps its best checkpoint, and it would '
      f'replace what is trained there. Give --checkpoint_path={train_dir} with another --train_dir.'
    )


def list_run_files(train_dir: str) -> list[pathlib.Path]:
  """The files that the run in `train_dir` has written, sorted; none where there is no run."""
  folder = pathlib.Path(train_dir)
  checkpoint_files = prefixes.list_run_files(train_dir)
  if not checkpoint_files and not (folder / history.METRICS_FILE).exists():
    return []
  found = [path for pattern in _PATTERNS for path in folder.glob(pattern)]
  found += checkpoint_files + prefixes.list_run_files(str(folder / BEST_FOLDER))
  return sorted(found)


def remove_run(train_dir: str) -> None:
  """Removes what `list_run_files` lists, and folders of training that are empty then."""
  for path in list_run_files(train_dir):
    path.unlink(missing_ok=True)
  for name in _FOLDERS:
    with contextlib.suppress(OSError):  # not there, or not empty
      pathlib.Path(train_dir, name).rmdir()
