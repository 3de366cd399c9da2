"""A formula for the peak memory of a training process, from shapes alone.

`summary.training_memory` is a lower bound, which refuses what certainly does not fit. This is a
prediction: with recomputation and micro-batches it follows the step from phase to phase and takes
the largest. docs/decisions/0100 compares it with measurements.
"""

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

from vgg_slim.compat import tf
from vgg_slim.configs.config import TrainConfig
from vgg_slim.configs.optimizer import OPTIMIZERS
from vgg_slim.nets import net_spec, specs, summary
from vgg_slim.nets.net_spec import Layer
from vgg_slim.ops import winograd
from vgg_slim.training import optimizers

_FLOAT32 = 4  # bytes
# Resident memory of Python and TensorFlow 2.21 with a training graph, 0.4 GiB of it library code,
# and what the allocator has freed but not returned.
_PROCESS = (640 + 360) * 2**20


class Stage(NamedTuple):
  """A stage of `NetSpec.trunk_stages`; bytes per image, operations per image.

  Attributes:
    input: bytes of its input.
    output: bytes of its output.
    kept: bytes that its layers keep for the backward pass.
    workspace: bytes of the largest temporary values of a single layer.
    weights: bytes of its trainable variables.
    multiply_adds: number of multiply-adds of its forward pass.
  """

  input: int
  output: int
  kept: int
  workspace: int
  weights: int
  multiply_adds: int


@dataclasses.dataclass(frozen=True)
class StepMemory:
  """The network and the update rule of a run, as far as they decide its memory.

  Attributes:
    stages: stages of the trunk.
    state: bytes of all variables, including the optimizer's slots and moving averages.
    weights: bytes of the trainable variables.
    largest: bytes of the largest of them.
    gradient_copies: number of copies of a gradient while it is applied.
    is_held: whether all gradients are held until the last one is known.
  """

  stages: tuple[Stage, ...]
  state: int
  weights: int
  largest: int
  gradient_copies: int
  is_held: bool

  def peak(self, images: int, micro_batches: int, stage_parts: Sequence[int]) -> int:
    """Predicted peak of the resident memory of the process, in bytes.

    Args:
      images: number of images of a micro-batch.
      micro_batches: number of micro-batches of a step.
      stage_parts: see `trunk.build_trunk`.
    """
    return self._fixed(micro_batches) + max(self._phases(images, stage_parts))

  def peak_of_stage(
    self, images: int, micro_batches: int, stage_parts: Sequence[int], index: int
  ) -> int:
    """Predicted peak during the backward pass of one stage; see `peak`."""
    return self._fixed(micro_batches) + self._phases(images, stage_parts)[index]

  def _fixed(self, micro_batches: int) -> int:
    return _PROCESS + self.state + self._held_gradients(micro_batches)

  def _phases(self, images: int, stage_parts: Sequence[int]) -> list[int]:
    """Bytes of activations and passing gradients: for each stage, then when the head is updated."""
    kept = images * self.stages[0].input
    phases = []
    for index, stage in enumerate(self.stages):
      parts = stage_parts[index] if index < len(stage_parts) else 0
      phases.append(kept + self._phase(stage, images, parts) + 2 * stage.weights)
      kept += images * (stage.output if parts else stage.kept)
    # The gradients of the head are the first to be known, while all that is kept still is.
    return [*phases, kept + self.largest * self.gradient_copies]

  def _phase(self, stage: Stage, images: int, parts: int) -> int:
    """Bytes that a stage needs in the backward pass, beyond what earlier stages keep."""
    maps = images * (stage.input + stage.output)  # gradients of both
    if not parts:
      return maps + images * (stage.kept + stage.workspace)
    joined = images * (stage.input + stage.output) if parts > 1 else images * stage.output
    return maps + joined + images // parts * (stage.kept + stage.workspace)

  def _held_gradients(self, micro_batches: int) -> int:
    """Bytes of gradients that exist during the whole backward pass."""
    if micro_batches > 1:
      return self.weights + (self.weights if self.is_held else 0)
    return self.weights if self.is_held else 0


def describe(config: TrainConfig) -> StepMemory:
  """Reads off a config what decides the memory of its step."""
  net, settings = config.net, config.optimizer
  spec, size = specs.get(net.model), summary.PRECISIONS[config.runtime.precision]
  rows = summary.summarize(spec, net.num_logits, net.image_size, net.fc_units, net.head)
  shapes = spec.parameter_shapes(net.num_logits, net.image_size, net.fc_units, net.head)
  totals = summary.total(rows)
  optimizer = OPTIMIZERS[settings.optimizer]
  copies = optimizer.num_slots + (settings.moving_average_decay is not None)
  return StepMemory(
    _stages(spec, net.image_size, config.runtime.precision),
    _FLOAT32 * (totals.parameters + copies * totals.trainable)
    + size.weight_copy * totals.trainable,
    _FLOAT32 * totals.trainable,
    _FLOAT32 * max(map(math.prod, shapes.values())),
    1 if optimizers.folds_decay(settings) or not settings.weight_decay else 2,
    # float16 checks all gradients for overflow first.
    settings.clip_gradient_norm is not None or config.runtime.precision == 'float16',
  )


def _stages(spec: net_spec.NetSpec, side: int, precision: str) -> tuple[Stage, ...]:
  layers = spec.trunk_layers()
  sides = net_spec.output_sides(layers, side)
  channels = {net_spec.IMAGES: 3, **{layer.name: layer.channels for layer in layers}}
  size = summary.PRECISIONS[precision].activation

  def map_bytes(name: str) -> int:
    return sides[name] ** 2 * channels[name] * size

  stages = []
  for stage in spec.trunk_stages():
    layer_bytes = functools.partial(_layer_bytes, sides, channels, precision)
    kept, workspace = zip(*map(layer_bytes, stage), strict=True)
    weights = [_weights(layer, channels) for layer in stage]
    stages.append(
      Stage(
        map_bytes(stage[0].inputs[0]),
        map_bytes(stage[-1].name),
        sum(kept),
        max(workspace),
        _FLOAT32 * sum(weights),
        sum(n * sides[layer.name] ** 2 for n, layer in zip(weights, stage, strict=True)),
      )
    )
  return tuple(stages)


def _weights(layer: Layer, channels: dict[str, int]) -> int:
  return layer.kernel**2 * channels[layer.inputs[0]] * layer.channels * layer.has_weights


def _layer_bytes(
  sides: dict[str, int], channels: dict[str, int], precision: str, layer: Layer
) -> tuple[int, int]:
  """Bytes per image that a layer keeps, and that it needs for a moment."""
  size = summary.PRECISIONS[precision].activation
  side, n_in = sides[layer.inputs[0]], channels[layer.inputs[0]]
  output = sides[layer.name] ** 2 * layer.channels * size
  kept = output * (1 + (layer.batch_norm and layer.relu))
  shape = [layer.kernel, layer.kernel, n_in, layer.channels]
  padding = 'SAME' if 2 * layer.padding == layer.kernel - 1 else 'VALID'
  if (
    layer.kind != 'conv'
    or precision != 'float32'
    or not winograd.is_faster(
      tf.TensorSpec([None, side, side, n_in], tf.float32), shape, layer.stride, padding, trains=True
    )
  ):
    return kept, 2 * output
  tiles = math.ceil(side / 4) ** 2 * 36 * size  # bytes of the transformed patches of a channel
  return kept + tiles * n_in, 2 * tiles * max(n_in, layer.channels)
