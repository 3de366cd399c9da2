"""Chooses recomputation and micro-batches so that a training step fits into a memory budget."""

import itertools
import math
from collections.abc import Iterator
from typing import NamedTuple

from vgg_slim.configs.config import TrainConfig
from vgg_slim.configs.runtime import format_like, parse_size
from vgg_slim.errors import ConfigError
from vgg_slim.nets import head_specs, specs
from vgg_slim.training import step_memory
from vgg_slim.training.preflight import divisors
from vgg_slim.training.step_memory import StepMemory
from vgg_slim.wording import counted

# Multiply-adds in the time of adding up the gradient of a weight, or transforming it for Winograd's
# algorithm: four passes over memory at 10 GB/s, while a core pair computes 100 a nanosecond.
_PER_WEIGHT = 160
# Each halving of the images that batch norm sees at once, in steps: the last resort.
_CHANGED_STATISTICS = 10.0


class MemoryPlan(NamedTuple):
  """How a step is divided.

  Attributes:
    micro_batches: number of micro-batches of each replica in a step.
    stage_parts: stages to compute again, and in how many parts each, see `trunk.build_trunk`.
    predicted: predicted peak of the process in bytes; None if nothing had to be predicted.
    in_blocks: whether the gradients of large fully-connected layers are computed and applied in
      blocks of rows, see `blockwise`.
  """

  micro_batches: int
  stage_parts: tuple[int, ...] = ()
  predicted: int | None = None
  in_blocks: bool = False


def choose(config: TrainConfig, replicas: int = 1) -> MemoryPlan:
  """The plan of a run, which depends on its config alone.

  Without a budget it is what the config says. With one it is the fastest division of the batch
  whose predicted peak fits: recomputation of as few stages as possible, from the images on, whose
  maps are the largest; parts of the batch within a stage; more micro-batches.

  Args:
    config: config of the run.
    replicas: number of replicas that share the batch.

  Raises:
    ConfigError: no plan fits the budget.
  """
  runtime, steps = config.runtime, config.optimizer.gradient_accumulation_steps
  num_stages = len(specs.get(config.net.model).trunk_stages())
  memory = step_memory.describe(config, replicas)
  if runtime.memory_budget is None:
    parts = (1,) * num_stages if runtime.recompute == 'stages' else ()
    return MemoryPlan(steps, parts, in_blocks=memory.in_blocks(steps, parts))
  budget = parse_size(runtime.memory_budget)
  plans = list(_plans(config, memory, config.run.batch_size // replicas, budget))
  if not plans:  # as `Distribution.check_batch` says, the batch cannot be shared
    return MemoryPlan(steps)
  fitting = [(cost, plan) for cost, predicted, plan in plans if predicted <= budget]
  if fitting:
    return min(fitting, key=lambda pair: pair[0])[1]
  least = min(predicted for _, predicted, _ in plans)
  net = config.net
  head = net.head or specs.get(net.model).head
  units = '--fc_units, ' if head_specs.has_free_units(head) else ''
  advice = f'a smaller --batch_size, {units}--image_size or --model'
  if runtime.recompute == 'none':
    advice = f'--recompute=auto, {advice}'
  raise ConfigError(
    f'--memory_budget={runtime.memory_budget}: a step of {net.model} with {config.run.batch_size} '
    f'images at {net.image_size} px needs {format_like(least, runtime.memory_budget)}, '
    f'however it is divided. Give that much, or {advice}.'
  )


def describe(config: TrainConfig, plan: MemoryPlan) -> str | None:
  """One line about a plan; None where the config leaves nothing to choose."""
  budget = config.runtime.memory_budget
  if budget is None or plan.predicted is None:
    return None
  batch = config.run.batch_size
  parts = ''
  if plan.micro_batches > 1:
    parts = f' as {plan.micro_batches} micro-batches of {batch // plan.micro_batches}'
  again = 'without recomputation'
  if computed_again := [parts for parts in plan.stage_parts if parts]:
    again = f'with recomputation of {counted(len(computed_again), "stage")}'
    if max(computed_again) > 1:
      images = batch // plan.micro_batches
      at_once = ', '.join(str(images // parts) for parts in computed_again)
      again += f' ({at_once} images at once)'
  return (
    f'Memory budget {budget}: batch {batch}{parts} {again}, predicted peak '
    f'{format_like(plan.predicted, budget)}.'
  )


def _plans(
  config: TrainConfig, memory: StepMemory, share: int, budget: int
) -> Iterator[tuple[float, int, MemoryPlan]]:
  """Yields costs, in shares of a step's time, predicted peaks, and plans."""
  first = config.optimizer.gradient_accumulation_steps
  spec, recompute = specs.get(config.net.model), config.runtime.recompute
  counts = {
    'none': [0],
    'stages': [len(memory.stages)],
    'auto': range(len(memory.stages) + 1),
  }[recompute]
  can_split = not any(layer.batch_norm or layer.kind == 'dropout' for layer in spec.trunk_layers())
  for steps in sorted(divisors(share)):
    if steps % first:
      continue
    for count in counts:
      for parts in _stage_parts(memory, share // steps, steps, count, budget, can_split):
        predicted = memory.peak(share // steps, steps, parts)
        cost = _cost(memory, share, steps, parts)
        if spec.batch_norm:
          cost += _CHANGED_STATISTICS * math.log2(steps / first)
        plan = MemoryPlan(steps, parts, predicted, memory.in_blocks(steps, parts))
        yield cost, predicted, plan


def _stage_parts(
  memory: StepMemory, images: int, steps: int, count: int, budget: int, can_split: bool
) -> Iterator[tuple[int, ...]]:
  """Parts of each of the first `count` stages; 0 of those without a backward pass.

  First those of which each stage has the fewest that fit, or as many as possible. Then the same
  with stages that go through together, from the first one on.
  """
  frozen = [0] * memory.num_frozen
  count -= len(frozen)
  if count <= 0:
    yield ()
    return
  if not can_split:
    yield (*frozen, *[1] * count)
    return
  together = itertools.product(range(2, count + 1), sorted(divisors(images))[1:])
  for joined, each in [(0, 1), *together]:
    parts = [*frozen, *[each] * joined, *[1] * (count - joined)]
    for index in range(len(frozen) + joined, len(parts)):
      for fewest in sorted(divisors(images)):
        parts[index] = fewest
        if memory.peak_of_stage(images, steps, parts, index) <= budget:
          break
    yield tuple(parts)


def _cost(memory: StepMemory, images: int, steps: int, stage_parts: tuple[int, ...]) -> float:
  """Additional time of a step, as a share of its forward and backward pass."""
  step = 3 * images * sum(stage.multiply_adds for stage in memory.stages)
  extra = _PER_WEIGHT * (steps - 1) * memory.weights // 4
  for parts, stage in zip(stage_parts, memory.stages, strict=False):
    if not parts:
      continue
    extra += images * stage.multiply_adds
    extra += 2 * _PER_WEIGHT * (parts - 1) * steps * stage.weights // 4
  return extra / step
