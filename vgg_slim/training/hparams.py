"""TensorBoard's HParams tab: one row per run, with its settings and its best epochs."""

import dataclasses
import math
from collections.abc import Iterable, Mapping

from vgg_slim.compat import tf
from vgg_slim.configs.config import TrainConfig
from vgg_slim.training.history import EpochMetrics

_SECTIONS = ('net', 'preprocessing', 'optimizer', 'fine_tune')
_DATA_FIELDS = ('num_classes', 'rgb_mean', 'rgb_covariance', 'stored_side', 'pixel_range')
_RUN_FIELDS = ('batch_size', 'epochs', 'max_steps', 'seed')

Setting = bool | int | float | str


def describe_run(settings: Mapping[str, Setting], name: str) -> tf.Summary:
  """The row of the run `name` with these settings by flag name.

  The columns are not declared: TensorBoard then first shows those in which runs differ.
  """
  from tensorboard.plugins.hparams import summary_v2 as plugin  # the import takes 0.25 s

  row = plugin.hparams_pb(settings, trial_id=name)
  # TensorBoard has its own copy of the protocol message.
  return tf.Summary.FromString(row.SerializeToString())


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


def best_so_far(epochs: Iterable[EpochMetrics]) -> dict[str, float]:
  """The best validation results of a run, by tag; empty if there are none."""
  validated = [
    (epoch.validation_accuracy, epoch.validation_loss)
    for epoch in epochs
    if epoch.validation_accuracy is not None and epoch.validation_loss is not None
  ]
  if not validated:
    return {}
  accuracies, losses = zip(*validated, strict=True)
  return {
    'best/accuracy': max(accuracies),
    'best/loss': min((loss for loss in losses if not math.isnan(loss)), default=math.nan),
  }
