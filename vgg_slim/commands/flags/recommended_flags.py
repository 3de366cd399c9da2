"""Defaults of the optimizer and of the length of a run, which `configs.recommended` computes.

Loads no TensorFlow.
"""

import contextlib
from typing import Any

from absl import flags

from vgg_slim.checkpoints.contract import Contract
from vgg_slim.commands.flags import field_flags
from vgg_slim.commands.flags.field_flags import Computed
from vgg_slim.configs import recommended
from vgg_slim.configs.config import (
  NetConfig,
  OptimizerConfig,
  RunConfig,
  ScheduleConfig,
  TrainConfig,
)
from vgg_slim.configs.recommended import Situation
from vgg_slim.errors import ConfigError
from vgg_slim.nets import specs
from vgg_slim.wording import counted

flags.disclaim_key_flags()

OPTIMIZER = {
  'learning_rate': Computed(
    'The default depends on the optimizer, on whether the network has batch norm, and on whether '
    'it starts from trained weights; it is printed.'
  ),
  'learning_rate_decay_type': Computed(
    f'Defaults to {recommended.SCHEDULE}, or to {ScheduleConfig.learning_rate_decay_type} with '
    'one of its own flags.'
  ),
  'warmup_epochs': Computed(
    f'Defaults to the epochs of {recommended.WARMUP_STEPS} steps, or to a tenth of a shorter run; '
    'to 0 with --learning_rate_decay_type.'
  ),
  'epochs_per_decay': Computed(
    f'Defaults to {ScheduleConfig.epochs_per_decay:g}, or proportionally more if the default of '
    '--epochs is larger.'
  ),
}
RUN = {
  'epochs': Computed(
    f'Defaults to {RunConfig.epochs:g}, or to more if that is less than '
    f'{recommended.FEWEST_STEPS} steps.'
  ),
  'validate_every_epochs': Computed(
    f'Defaults to 1, or in a run of the default length to as many as '
    f'{recommended.STEPS_PER_VALIDATION} steps make.'
  ),
}
_SHOWN = ('learning_rate', 'learning_rate_decay_type', 'warmup_epochs')


def has_default_length() -> bool:
  """Whether the length of the run is not given by a flag."""
  return flags.FLAGS.epochs is None and flags.FLAGS.max_steps is None


def situation(
  num_examples: int | None, checkpoint: str | None, start: Contract | None
) -> Situation:
  """Returns what the defaults depend on; wrong values of flags are reported elsewhere.

  Args:
    num_examples: number of training images; None if there is no training split.
    checkpoint: checkpoint that the run starts from; None for initial values.
    start: contract of the checkpoint; None if it has none.
  """
  values = flags.FLAGS
  model = values.model or (start.network.model if start else NetConfig.model)
  has_batch_norm = False
  with contextlib.suppress(ConfigError):
    has_batch_norm = specs.get(model).batch_norm is not None
  return Situation(
    values.optimizer,
    has_batch_norm,
    is_trained=checkpoint is not None and not values.from_net_a,
    num_examples=num_examples,
    batch_size=max(1, values.batch_size),
  )


def run_config(chosen: Situation) -> RunConfig:
  """Returns the settings of the run from the flags."""
  computed: dict[str, Any] = {}
  if has_default_length():
    computed['epochs'] = chosen.epochs()
    follows_epochs = flags.FLAGS.early_stop_patience or _decay_type() == 'plateau'
    if not follows_epochs:
      computed['validate_every_epochs'] = chosen.validate_every_epochs()
  return field_flags.from_flags(RunConfig, **_not_given(computed))


def optimizer_config(chosen: Situation, class_weights: tuple[float, ...]) -> OptimizerConfig:
  """Returns the settings of loss, update rule and learning rate from the flags.

  Args:
    chosen: what the defaults depend on.
    class_weights: value of --class_weights as numbers.
  """
  values = flags.FLAGS
  length = chosen.epochs()
  epochs = length if has_default_length() else values.epochs
  stretch = length / RunConfig.epochs if has_default_length() else 1
  computed: dict[str, Any] = {
    'learning_rate': chosen.learning_rate(),
    'learning_rate_decay_type': _decay_type(),
    'epochs_per_decay': ScheduleConfig.epochs_per_decay * stretch,
  }
  if values.learning_rate_decay_type is None:
    computed['warmup_epochs'] = chosen.warmup_epochs(epochs, values.max_steps)
  return field_flags.from_flags(
    OptimizerConfig, **_not_given(computed), class_weights=class_weights
  )


def describe_choice(config: TrainConfig, num_examples: int) -> str | None:
  """Returns a line about the computed settings that no flag gives; None if there are none.

  Args:
    config: config of the new run.
    num_examples: number of training images.
  """
  run, optimizer = config.run, config.optimizer
  steps = run.total_steps(num_examples)
  parts = []
  if has_default_length():
    parts.append(f'{counted(steps, "step")} (--epochs={run.epochs:g})')
  if run.validate_every_epochs > 1 and flags.FLAGS.validate_every_epochs is None:
    parts.append(f'--validate_every_epochs={run.validate_every_epochs}')
  parts += [
    f'--{name}={_text(getattr(optimizer, name))}'
    for name in _SHOWN
    if flags.FLAGS[name].value is None and getattr(optimizer, name)
  ]
  return f'Chosen by default: {", ".join(parts)}.' if parts else None


def _text(value: float | str) -> str:
  return value if isinstance(value, str) else f'{value:g}'


def _decay_type() -> str:
  """Returns --learning_rate_decay_type or its default."""
  given = {name for name in recommended.OWN_SETTINGS if flags.FLAGS[name].present}
  return flags.FLAGS.learning_rate_decay_type or recommended.schedule(given)


def _not_given(computed: dict[str, Any]) -> dict[str, Any]:
  return {name: value for name, value in computed.items() if flags.FLAGS[name].value is None}
