"""Checks before the first step: memory of a training step, size of a checkpoint."""

import bisect
import math
from collections.abc import Sequence

from vgg_slim.configs.config import TrainConfig
from vgg_slim.configs.optimizer import OPTIMIZERS
from vgg_slim.errors import TrainingError
from vgg_slim.nets import specs, summary
from vgg_slim.training import step_memory
from vgg_slim.wording import counted


def check_memory(
  config: TrainConfig, available: int, micro_batches: int, stage_parts: Sequence[int] = ()
) -> None:
  """Raises TrainingError if a step needs more memory than is available, as `step_memory` predicts.

  Args:
    config: config of the run.
    available: available memory in bytes, once TensorFlow is loaded.
    micro_batches: number of micro-batches of a step.
    stage_parts: stages that are computed again, see `trunk.build_trunk`.
  """
  batch = config.run.batch_size
  at_once = batch // micro_batches
  needed = needed_memory(config, at_once, micro_batches, stage_parts)
  if needed <= available:
    return
  message = (
    f'{config.net.model} at {config.net.image_size} px needs {summary.format_bytes(needed)} beside '
    f'TensorFlow for a step with {counted(at_once, "image")} at once, but '
    f'{summary.format_bytes(available)} are free'
  )
  fits = largest_batch(config, available, micro_batches, stage_parts)
  if not fits:
    raise TrainingError(f'{message}, which is not enough for one image.')
  smaller = f'{message}. --batch_size={fits * micro_batches}'
  # More micro-batches may need more memory: the sum of their gradients.
  for steps in sorted(steps for steps in divisors(batch) if steps > micro_batches):
    if needed_memory(config, batch // steps, steps, stage_parts) <= available:
      raise TrainingError(
        f'{smaller} fits; --gradient_accumulation_steps={steps} makes the same step of '
        f'{counted(batch, "image")} in micro-batches.'
      )
  raise TrainingError(f'{smaller} fits.')


def largest_batch(
  config: TrainConfig, available: int, micro_batches: int = 1, stage_parts: Sequence[int] = ()
) -> int:
  """Largest number of images at once that fits into `available` bytes; 0 if none does."""
  memory = step_memory.describe(config)

  def fits(images: int) -> bool:
    return memory.parts(images, micro_batches, stage_parts).beside_tensorflow <= available

  most = 1
  while fits(most):
    most *= 2
  return bisect.bisect_left(range(1, most), True, key=lambda images: not fits(images))


def needed_memory(
  config: TrainConfig, images: int, micro_batches: int = 1, stage_parts: Sequence[int] = ()
) -> int:
  """Predicted bytes of a step with so many images at once, beside TensorFlow itself."""
  return step_memory.describe(config).parts(images, micro_batches, stage_parts).beside_tensorflow


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
