"""TensorBoard's HParams tab: one row per run, with its settings and its best epochs."""

import dataclasses
import math
import pathlib
import shutil
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO

from vgg_slim import files, tensorboard
from vgg_slim.compat import tf
from vgg_slim.configs.config import TrainConfig
from vgg_slim.training.history import EpochMetrics

_SECTIONS = ('net', 'preprocessing', 'optimizer', 'fine_tune')
_DATA_FIELDS = ('num_classes', 'rgb_mean', 'rgb_covariance', 'stored_side', 'pixel_range')
_RUN_FIELDS = ('batch_size', 'epochs', 'max_steps', 'seed', 'balanced_batches')
_PLUGIN = 'hparams'
_HEADER, _FOOTER = 12, 4  # bytes around the content of a TFRecord: length and checksums
_FIRST = 10  # events of a file among which the row is

Setting = bool | int | float | str


def describe_run(settings: Mapping[str, Setting], name: str) -> tf.Summary:
  """The row of the run `name` with these settings by flag name.

  The columns are not declared: TensorBoard then first shows those in which runs differ.
  """
  from tensorboard.plugins.hparams import summary_v2 as plugin  # the import takes 0.25 s

  row = plugin.hparams_pb(settings, trial_id=name)
  # TensorBoard has its own copy of the protocol message.
  return tf.Summary.FromString(row.SerializeToString())


def remove_descriptions(folder: str) -> None:
  """Removes the rows that earlier processes of a run wrote to their event files.

  TensorBoard shows the first row of a run, so that a run that is resumed with other settings would
  keep the old ones. A row is one of the first events of a file; all other bytes stay as they are.
  """
  for path in sorted(pathlib.Path(folder).glob(tensorboard.EVENT_FILES)):
    with path.open('rb') as source:
      row = next((where for *where, event in _first_events(source) if _is_row(event)), None)
      if row is None:
        continue
      start, end = row
      with files.open_atomic(path) as changed:
        source.seek(0)
        changed.write(source.read(start))
        source.seek(end)
        shutil.copyfileobj(source, changed)


def _is_row(event: tf.Event) -> bool:
  return any(value.metadata.plugin_data.plugin_name == _PLUGIN for value in event.summary.value)


def _first_events(source: BinaryIO) -> Iterator[tuple[int, int, tf.Event]]:
  """Yields start and end of the first records of a TFRecord file, each with its event."""
  start = 0
  for _ in range(_FIRST):
    header = source.read(_HEADER)
    if len(header) < _HEADER:
      return
    (length,) = struct.unpack_from('<Q', header)
    content = source.read(length + _FOOTER)
    if len(content) < length + _FOOTER:  # a process was killed while it wrote the record
      return
    end = source.tell()
    yield start, end, tf.Event.FromString(content[:length])
    start = end


def list_settings(config: TrainConfig) -> dict[str, Setting]:
  """Hyperparameters of a run by flag name; lists become text, and None is left out."""
  values = {'data_dir': config.data_dir}
  for section in _SECTIONS:
    values.update(dataclasses.asdict(getattr(config, section)))
  values.update({name: getattr(config.run, name) for name in _RUN_FIELDS})
  values['precision'] = config.runtime.precision
  return {
    name: value if isinstance(value, Setting) else str(value)
    for name, value in values.items()
    if value is not None and name not in _DATA_FIELDS
  }


def best_so_far(epochs: Sequence[EpochMetrics]) -> dict[str, float]:
  """The best validation results of a run, by tag; empty if there are none."""
  validated = [
    (epoch.validation_accuracy, epoch.validation_loss)
    for epoch in epochs
    if epoch.validation_accuracy is not None and epoch.validation_loss is not None
  ]
  if not validated:
    return {}
  accuracies, losses = zip(*validated, strict=True)
  best = {
    'best/accuracy': max(accuracies),
    'best/loss': min((loss for loss in losses if not math.isnan(loss)), default=math.nan),
  }
  later = {
    'best/balanced_accuracy': [epoch.validation_balanced_accuracy for epoch in epochs],
    'best/macro_f1': [epoch.validation_macro_f1 for epoch in epochs],
  }
  for tag, values in later.items():  # epochs of earlier versions lack them
    if known := [value for value in values if value is not None]:
      best[tag] = max(known)
  return best
