"""Checks before the first step: memory of a training step, size of a checkpoint."""

import math

from vgg_slim.configs.config import TrainConfig
from vgg_slim.configs.optimizer import OPTIMIZERS
from vgg_slim.errors import TrainingError
from vgg_slim.nets import specs, summary
from vgg_slim.wording import counted


def check_memory(
  config: TrainConfig,
  available: int,
  micro_batches: int | None = None,
  is_recomputed: bool = False,
) -> None:
  """Raises TrainingError if a step certainly needs more memory than is available.

  The estimate of `summary.training_memory` is a lower bound: a run that passes may still run out of
  memory.

  Args:
    config: config of the run.
    available: available memory in bytes.
    micro_batches: number of micro-batches of a step; that of the config by default.
    is_recomputed: whether the trunk is computed again in the backward pass.
  """
  batch = config.run.batch_size
  at_once = batch // (micro_batches or config.optimizer.gradient_accumulation_steps)
  needed = needed_memory(config, at_once, is_recomputed)
  if needed <= available:
    return
  free = summary.format_bytes(available)
  message = (
    f'{config.net.model} at {config.net.image_size} px needs at least '
    f'{summary.format_bytes(needed)} for a step with {counted(at_once, "image")} at once, '
    f'but {free} are free'
  )
  fits = largest_batch(config, available, is_recomputed)
  if not fits:
    raise TrainingError(f'{message}, which is not enough for one image.')
  more_steps = min(steps for steps in divisors(batch) if batch // steps <= fits)
  raise TrainingError(
    f'{message}. --batch_size={fits} fits; --gradient_accumulation_steps={more_steps} makes the '
    f'same step of {counted(batch, "image")} in micro-batches.'
  )


def largest_batch(config: TrainConfig, available: int, is_recomputed: bool = False) -> int:
  """Largest number of images at once that fits into `available` bytes; 0 if none does."""
  one = needed_memory(config, 1, is_recomputed)
  each = needed_memory(config, 2, is_recomputed) - one
  return (available - one) // each + 1 if available >= one else 0


def needed_memory(config: TrainConfig, batch_size: int, is_recomputed: bool = False) -> int:
  """Least number of bytes that a step with `batch_size` images at once needs."""
  side, precision = config.net.image_size, config.runtime.precision
  rows = _rows(config)
  if is_recomputed:  # only the inputs of the stages are kept, which pools and sums compute
    rows = [row._replace(kept=0) if row.kind == 'conv' else row for row in rows]
  return summary.training_memory(rows, side, batch_size, precision, _copies(config)).total


def checkpoint_bytes(config: TrainConfig) -> int:
  """Size of a checkpoint in bytes: the network and the slots of the optimizer, in float32."""
  totals = summary.total(_rows(config))
  return 4 * (totals.parameters + _copies(config) * totals.trainable)


def divisors(number: int) -> set[int]:
  """All divisors of a number."""
  small = [n for n in range(1, math.isqrt(number) + 1) if number % n == 0]
  return {*small, *(number // n for n in small)}


def _rows(config: TrainConfig) -> list[summary.Row]:
  net = config.net
  return summary.summarize(
    specs.get(net.model), net.num_classes, net.image_size, net.fc_units, net.head
  )


def _copies(config: TrainConfig) -> int:
  optimizer = config.optimizer
  return OPTIMIZERS[optimizer.optimizer].num_slots + (optimizer.moving_average_decay is not None)
