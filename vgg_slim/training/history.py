"""`train_dir/metrics.csv`: one row for every validation, at the end of an epoch."""

import csv
import io
import pathlib
from collections.abc import Iterable
from typing import Any, NamedTuple

from vgg_slim import files
from vgg_slim.errors import CheckpointError

METRICS_FILE = 'metrics.csv'


class EpochMetrics(NamedTuple):
  """One row. Losses are mean cross-entropies without weight decay; accuracies are fractions.

  The training columns are averages over the batches of the epoch, with dropout and augmentation;
  the `validation_*` columns are empty if the data set has no validation split. The columns that
  have a default were added later: earlier files lack them.
  """

  step: int
  epoch: float
  train_loss: float
  train_accuracy: float
  validation_loss: float | None
  validation_accuracy: float | None
  learning_rate: float
  images_per_second: float
  validation_balanced_accuracy: float | None = None
  validation_macro_f1: float | None = None


class MetricsFile:
  """The metrics file of a run in progress.

  Attributes:
    rows: rows up to the step at which the run starts, then the rows that it adds.
  """

  def __init__(self, train_dir: str, last_step: int) -> None:
    """Reads the rows up to `last_step`; the run will repeat the steps of later rows.

    Raises:
      CheckpointError: the file is not a metrics file; the message names it.
    """
    self._path = pathlib.Path(train_dir, METRICS_FILE)
    self.rows = [row for row in _read_rows(self._path) if row.step <= last_step]

  def add(self, metrics: EpochMetrics) -> None:
    """Adds a row, unless there is already one for its step.

    The file is replaced atomically: a killed run leaves it complete, with or without the new row.
    """
    if any(row.step == metrics.step for row in self.rows):
      return
    self.rows.append(metrics)
    files.write_text(self._path, format_rows(self.rows))


def read_history(train_dir: str) -> list[EpochMetrics]:
  """The rows of a run, in order.

  Raises:
    CheckpointError: the file has no rows or is not a metrics file; the message names it.
  """
  path = pathlib.Path(train_dir, METRICS_FILE)
  rows = _read_rows(path)
  if not rows:
    raise CheckpointError(f'{path} has no rows: no epoch of this run has ended yet.')
  return rows


def format_rows(rows: Iterable[EpochMetrics]) -> str:
  """Returns the content of a metrics file."""
  buffer = io.StringIO()
  writer = csv.writer(buffer, lineterminator='\n')
  writer.writerow(EpochMetrics._fields)
  writer.writerows([_format(value) for value in row] for row in rows)
  return buffer.getvalue()


def has_row(train_dir: str, step: int) -> bool:
  """Whether the end of the epoch at `step` was recorded, which is its last action."""
  return any(row.step == step for row in _read_rows(pathlib.Path(train_dir, METRICS_FILE)))


def _read_rows(path: pathlib.Path) -> list[EpochMetrics]:
  if not path.is_file():
    return []
  with path.open(encoding='utf-8', newline='') as stream:
    try:
      return [_parse(row) for row in csv.DictReader(stream)]
    except (KeyError, ValueError, csv.Error) as error:
      raise CheckpointError(
        f'{path} is not the {METRICS_FILE} of a run: {error}. If you remove the file, the run '
        'continues and its curves start again.'
      ) from error


def _parse(row: dict[str, str]) -> EpochMetrics:
  values: dict[str, Any] = {
    name: float(row[name]) if row[name] else None
    for name in EpochMetrics._fields
    if name in row or name not in EpochMetrics._field_defaults
  }
  return EpochMetrics(**{**values, 'step': int(row['step'])})


def _format(value: float | None) -> str:
  if value is None:
    return ''
  return str(value) if isinstance(value, int) else f'{value:.6g}'
