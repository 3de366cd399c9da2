"""`train_dir/metrics.csv`: one row at the end of every epoch."""

import csv
import io
import pathlib
from typing import NamedTuple

from vgg_slim import files
from vgg_slim.errors import CheckpointError

METRICS_FILE = 'metrics.csv'


class EpochMetrics(NamedTuple):
  """One row. Losses are mean cross-entropies without weight decay, accuracies fractions.

  The training columns are averages over the epoch's batches as they were trained on, with dropout
  and augmentation; `validation_*` are empty where the data set has no validation split.
  """

  step: int
  epoch: float
  train_loss: float
  train_accuracy: float
  validation_loss: float | None
  validation_accuracy: float | None
  learning_rate: float
  images_per_second: float


class MetricsFile:
  """The file of a run under way.

  Attributes:
    rows: those up to the step at which the run starts, and those that it adds, in order.
  """

  def __init__(self, train_dir: str, last_step: int) -> None:
    """Keeps the rows of earlier runs up to `last_step`; later ones will be made again.

    Raises:
      CheckpointError: what is there is no such file; names it.
    """
    self._path = pathlib.Path(train_dir, METRICS_FILE)
    self.rows = [row for row in _read_rows(self._path) if row.step <= last_step]

  def add(self, metrics: EpochMetrics) -> None:
    """Adds a row, unless there is one of its step.

    A killed run leaves the file with it or without it, whole.
    """
    if any(row.step == metrics.step for row in self.rows):
      return
    self.rows.append(metrics)
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator='\n')
    writer.writerow(EpochMetrics._fields)
    writer.writerows([_format(value) for value in row] for row in self.rows)
    files.write_text(self._path, buffer.getvalue())


def read_history(train_dir: str) -> list[EpochMetrics]:
  """The rows of a run, in order.

  Raises:
    CheckpointError: there are none, or they are not such rows; names the file.
  """
  path = pathlib.Path(train_dir, METRICS_FILE)
  rows = _read_rows(path)
  if not rows:
    raise CheckpointError(f'{path} has no rows: no epoch of such a run has ended yet.')
  return rows


def has_row(train_dir: str, step: int) -> bool:
  """Whether the epoch end at `step` was recorded, which is the last that is done at one."""
  return any(row.step == step for row in _read_rows(pathlib.Path(train_dir, METRICS_FILE)))


def _read_rows(path: pathlib.Path) -> list[EpochMetrics]:
  if not path.is_file():
    return []
  with path.open(encoding='utf-8', newline='') as stream:
    try:
      return [_parse(row) for row in csv.DictReader(stream)]
    except (KeyError, ValueError) as error:
      raise CheckpointError(
        f'{path} is not the {METRICS_FILE} of a run: {error}. Without the file the run goes on, '
        'and its curves start again.'
      ) from error


def _parse(row: dict[str, str]) -> EpochMetrics:
  values = {name: float(row[name]) if row[name] else None for name in EpochMetrics._fields}
  return EpochMetrics(**{**values, 'step': int(row['step'])})


def _format(value: float | None) -> str:
  if value is None:
    return ''
  return str(value) if isinstance(value, int) else f'{value:.6g}'
