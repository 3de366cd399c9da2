"""What TensorBoard's HParams tab shows: a row for each run, its settings and its best epochs."""

import dataclasses
import math
from collections.abc import Iterable

from vgg_slim.compat import tf
from vgg_slim.configs.config import TrainConfig
from vgg_slim.training.history import EpochMetrics

_SECTIONS = ('net', 'preprocessing', 'optimizer', 'fine_tune')
_OF_THE_DATA = ('num_classes', 'rgb_mean', 'rgb_covariance', 'stored_side')
_OF_THE_RUN = ('batch_size', 'epochs', 'max_steps', 'seed')

Setting = bool | int | float | str


def describe_run(config: TrainConfig, name: str) -> tf.Summary:
  """The row of the run `name`.

  Columns are left to TensorBoard: without a list of them it shows those first in which runs differ.
  """
  from tensorboard.plugins.hparams import summary_v2 as plugin  # a quarter of a second

  row = plugin.hparams_pb(list_settings(config), trial_id=name)
  return tf.Summary.FromString(row.SerializeToString())  # from TensorBoard's copy of the message


def list_settings(config: TrainConfig) -> dict[str, Setting]:
  """What shapes a run, by the names of the flags; lists as text, without what is None."""
  values = {'data_dir': config.data_dir}
  for section in _SECTIONS:
    values.update(dataclasses.asdict(getattr(config, section)))
  values.update({name: getattr(config.run, name) for name in _OF_THE_RUN})
  values['precision'] = config.runtime.precision
  return {
    name: value if isinstance(value, Setting) else str(value)
    for name, value in values.items()
    if value is not None and name not in _OF_THE_DATA
  }


def best_so_far(epochs: Iterable[EpochMetrics]) -> dict[str, float]:
  """The best validations of a run, by the tags that the tab shows; empty without any."""
  validated = [epoch for epoch in epochs if epoch.validation_loss is not None]
  if not validated:
    return {}
  losses = [epoch.validation_loss for epoch in validated]
  return {
    'best/accuracy': max(epoch.validation_accuracy for epoch in validated),
    'best/loss': min((loss for loss in losses if not math.isnan(loss)), default=math.nan),
  }
