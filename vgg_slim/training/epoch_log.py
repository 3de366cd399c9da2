"""What a run keeps of its epochs: `metrics.csv`, and the curves in TensorBoard's event files."""

import os
from collections.abc import Mapping

from vgg_slim import tensorboard
from vgg_slim.compat import tf
from vgg_slim.training import hparams
from vgg_slim.training.history import EpochMetrics, MetricsFile

VALIDATION_FOLDER = 'validation'  # subfolder, which TensorBoard shows as a separate run


class EpochLog:
  """The open files of a run in progress."""

  def __init__(self, folder: str, step: int, last_row: int) -> None:
    """Opens the files.

    Args:
      folder: folder of the run.
      step: global step at which the run starts or resumes.
      last_row: step of the last row of `metrics.csv` that is kept.

    Raises:
      CheckpointError: see `MetricsFile`.
    """
    self._metrics = MetricsFile(folder, last_row)
    self._writers = {
      name: tensorboard.open_events(os.path.join(folder, name), step)
      for name in ('', VALIDATION_FOLDER)
    }

  def add(self, metrics: EpochMetrics) -> None:
    """Adds an epoch: its row, its validation, and the best validation so far."""
    loss, accuracy = metrics.validation_loss, metrics.validation_accuracy
    self._metrics.add(metrics)
    if loss is None or accuracy is None:
      return
    scalars = {'loss': loss, 'accuracy': accuracy}
    balanced, macro_f1 = metrics.validation_balanced_accuracy, metrics.validation_macro_f1
    if balanced is not None and macro_f1 is not None:
      scalars |= {'balanced_accuracy': balanced, 'macro_f1': macro_f1}
    self.add_scalars(metrics.step, scalars, VALIDATION_FOLDER)
    self.add_scalars(metrics.step, hparams.best_so_far(self._metrics.rows))

  def add_scalars(self, step: int, scalars: Mapping[str, float], name: str = '') -> None:
    """Adds values by tag to the curves of training, or to those of the subfolder `name`."""
    self.add_summary(step, tensorboard.scalars(scalars), name)
    self._writers[name].flush()

  def add_summary(self, step: int, summary: tf.Summary | bytes, name: str = '') -> None:
    """Adds any summary, which may also be serialized."""
    self._writers[name].add_summary(summary, step)

  def add_event(self, event: tf.Event) -> None:
    """Adds an event to the file of training."""
    self._writers[''].add_event(event)

  def close(self) -> None:
    """Closes the event files."""
    for writer in self._writers.values():
      writer.close()
