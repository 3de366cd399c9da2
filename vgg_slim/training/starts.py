"""Where a run starts, as decided by the files in its folder; removal of an old run."""

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
from vgg_slim.training.epoch_log import VALIDATION_FOLDER
from vgg_slim.training.hooks import tracing

# Patterns of the files that training writes to its folder, apart from checkpoints.
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
    checkpoint: prefix of the checkpoint from which the run resumes; None for a new run.
    step: global step of the checkpoint, or 0.
    skipped: newer checkpoints, which are damaged.
    is_recorded: whether the end of an epoch at this step was recorded. This is its last action; the
      checkpoint is written before.
  """

  checkpoint: str | None
  step: int
  skipped: tuple[search.Damage, ...] = ()
  is_recorded: bool = False

  def lines(self) -> Iterator[str]:
    """Lines that tell the user where the run starts."""
    for damage in self.skipped:
      yield f'{damage}. It is removed when the next checkpoint is saved.'
    if self.checkpoint:
      yield f'Resuming from {self.checkpoint}.'


def decide(train_dir: str, overwrite: bool = False) -> Start:
  """Finds the newest intact checkpoint in `train_dir`.

  Args:
    train_dir: folder of the run; it need not exist.
    overwrite: whether the run starts at step 0, whatever the folder holds.

  Raises:
    CheckpointError: the folder holds a run, but none of its checkpoints is intact.
  """
  if overwrite:
    return Start(None, 0)
  newest, skipped = search.search(train_dir)
  if newest:
    step = search.global_step(newest)
    return Start(newest, step, skipped, history.has_row(train_dir, step))
  if skipped or os.path.exists(os.path.join(train_dir, history.METRICS_FILE)):
    damages = '; '.join(map(str, skipped)) or f'there is only {history.METRICS_FILE}'
    raise CheckpointError(
      f'{train_dir} holds a run without an intact checkpoint: {damages}. Give --overwrite to '
      'remove this run and start again at step 0, or another --train_dir.'
    )
  return Start(None, 0)


def check_is_not_best_folder(train_dir: str) -> None:
  """Raises CheckpointError if another run keeps its best checkpoint in `train_dir`."""
  folder = pathlib.Path(train_dir).resolve()
  if folder.name == BEST_FOLDER and (folder.parent / CONFIG_FILE).is_file():
    raise CheckpointError(
      f'{train_dir} is where the run in {folder.parent} keeps its best checkpoint, and that run '
      f'would replace yours. Give --checkpoint_path={train_dir} with another --train_dir.'
    )


def list_run_files(train_dir: str) -> list[pathlib.Path]:
  """The files that the run in `train_dir` has written, sorted; empty if there is no run."""
  folder = pathlib.Path(train_dir)
  checkpoint_files = prefixes.list_run_files(train_dir)
  if not checkpoint_files and not (folder / history.METRICS_FILE).exists():
    return []
  run_files = [path for pattern in _PATTERNS for path in folder.glob(pattern)]
  run_files += checkpoint_files + prefixes.list_run_files(str(folder / BEST_FOLDER))
  return sorted(run_files)


def remove_run(train_dir: str) -> None:
  """Removes what `list_run_files` lists, and the run's subfolders that are then empty."""
  for path in list_run_files(train_dir):
    path.unlink(missing_ok=True)
  for name in _FOLDERS:
    with contextlib.suppress(OSError):  # not there, or not empty
      pathlib.Path(train_dir, name).rmdir()
