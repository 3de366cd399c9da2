"""What can be known to go wrong before the first step."""

from vgg_slim.config import TrainConfig
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
  needed = _needed(config, batch // parts)
  if needed <= available:
    return
  free = summary.format_bytes(available)
  message = (
    f'{config.net.model} at {config.net.image_size} px needs at least '
    f'{summary.format_bytes(needed)} for a step with {batch // parts} pictures at once, and '
    f'{free} are free'
  )
  fits = next((n for n in range(batch // parts - 1, 0, -1) if _needed(config, n) <= available), 0)
  if not fits:
    raise TrainingError(f'{message}, which are not enough for one picture.')
  more_parts = next(n for n in range(1, batch + 1) if batch % n == 0 and batch // n <= fits)
  raise TrainingError(
    f'{message}. --batch_size={fits} fits; --gradient_accumulation_steps={more_parts} makes the '
    f'same step of {batch} in parts.'
  )


def _needed(config: TrainConfig, batch_size: int) -> int:
  net, optimizer = config.net, config.optimizer
  rows = summary.summarize(
    specs.get(net.model), net.num_classes, net.image_size, net.fc_units, net.head
  )
  copies = _SLOTS[optimizer.optimizer] + (optimizer.moving_average_decay is not None)
  return summary.training_memory(
    rows, net.image_size, batch_size, config.runtime.precision, copies
  ).total
