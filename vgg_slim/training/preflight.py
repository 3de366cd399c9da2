"""What can be known to go wrong before the first step."""

from vgg_slim.configs.config import TrainConfig
from vgg_slim.errors import TrainingError
from vgg_slim.nets import specs, summary

# Copies of every trained number that an update rule keeps.
_SLOTS = {'sgd': 0, 'momentum': 1, 'adam': 2, 'adamw': 2, 'rmsprop': 2}


def check_memory(config: TrainConfig, available: int) -> None:
  """Raises TrainingError where a step certainly takes more memory than there is.

  The estimate is `summary.training_memory`'s, which leaves some things out: a run that passes may
  still run out.

  Args:
    config: of the run.
    available: bytes.
  """
  batch, parts = config.run.batch_size, config.optimizer.gradient_accumulation_steps
  needed = needed_memory(config, batch // parts)
  if needed <= available:
    return
  free = summary.format_bytes(available)
  message = (
    f'{config.net.model} at {config.net.image_size} px needs at least '
    f'{summary.format_bytes(needed)} for a step with {batch // parts} pictures at once, and '
    f'{free} are free'
  )
  fits = largest_batch(config, available)
  if not fits:
    raise TrainingError(f'{message}, which are not enough for one picture.')
  more_parts = next(n for n in range(1, batch + 1) if batch % n == 0 and batch // n <= fits)
  raise TrainingError(
    f'{message}. --batch_size={fits} fits; --gradient_accumulation_steps={more_parts} makes the '
    f'same step of {batch} in parts.'
  )


def largest_batch(config: TrainConfig, available: int) -> int:
  """How many pictures at once fit into `available` bytes; 0 if not one does."""
  one = needed_memory(config, 1)
  each = needed_memory(config, 2) - one
  return (available - one) // each + 1 if available >= one else 0


def needed_memory(config: TrainConfig, batch_size: int) -> int:
  """Bytes that a step with `batch_size` pictures at once needs at least."""
  side, precision = config.net.image_size, config.runtime.precision
  return summary.training_memory(_rows(config), side, batch_size, precision, _copies(config)).total


def checkpoint_bytes(config: TrainConfig) -> int:
  """Size of a checkpoint: the network, and what the update rule keeps, in float32."""
  totals = summary.total(_rows(config))
  return 4 * (totals.parameters + _copies(config) * totals.trainable)


def _rows(config: TrainConfig) -> list[summary.Row]:
  net = config.net
  return summary.summarize(
    specs.get(net.model), net.num_classes, net.image_size, net.fc_units, net.head
  )


def _copies(config: TrainConfig) -> int:
  optimizer = config.optimizer
  return _SLOTS[optimizer.optimizer] + (optimizer.moving_average_decay is not None)
