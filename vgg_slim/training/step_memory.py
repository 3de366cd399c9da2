"""A formula for the peak memory of a training process, from shapes alone. No TensorFlow.

It follows the step, with recomputation and micro-batches, from phase to phase and takes the
largest. docs/performance.md compares it with measurements.
"""

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

from vgg_slim.configs.config import TrainConfig
from vgg_slim.configs.optimizer import OPTIMIZERS, OptimizerConfig
from vgg_slim.nets import net_spec, specs, summary
from vgg_slim.nets.net_spec import Layer
from vgg_slim.ops import block_sizes, conv_thresholds
from vgg_slim.scopes import is_under

_FLOAT32 = 4  # bytes
# Resident memory of Python and TensorFlow 2.21 without a graph, 0.4 GiB of it library code.
TENSORFLOW = 600 * 2**20
# Of an operation of the graph in Python, in the session, and in the graphs that it makes of it.
_OPERATION = 20 * 2**10
# Operations per layer and micro-batch (22 to 77 in VGG16 and ResNet50), those of a layer that is
# computed again, unless in a loop over parts of the batch, and those per trainable variable.
_PER_LAYER, _AGAIN, _PER_VARIABLE = 60, 30, 18
# What the allocator has freed but not returned, at most: no more than a step takes for a moment.
FREED = 360 * 2**20
# Gradient, old and new values of a block of rows, and the products on the way.
_BLOCKS_AT_ONCE = 6


class Memory(NamedTuple):
  """Bytes of a process at the peak of a training step.

  Attributes:
    tensorflow: Python, TensorFlow, its graph, and what its allocator has freed but not returned.
    weights: all variables except the optimizer's, and their copy in low precision.
    momentum: the optimizer's slots and moving averages.
    gradients: gradients of the variables that exist at once.
    activations: the images, what the layers keep for the backward pass, its gradients, and the
      workspace of convolutions.
  """

  tensorflow: int
  weights: int
  momentum: int
  gradients: int
  activations: int

  @property
  def total(self) -> int:
    return sum(self)

  @property
  def beside_tensorflow(self) -> int:
    return self.total - self.tensorflow


class Stage(NamedTuple):
  """A stage of `NetSpec.trunk_stages`; bytes per image, operations per image.

  Attributes:
    input: bytes of its input.
    output: bytes of its output.
    kept: bytes that its layers keep for the backward pass; of stages that have none, nothing but
      the input of the lowest stage that has one.
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
    num_frozen: number of the first stages that have no backward pass.
    variables: bytes of all variables except the next, and of their copy in low precision.
    slots: bytes of the optimizer's slots and moving averages.
    weights: bytes of the trainable variables.
    largest: bytes of the largest of them.
    gradient_copies: number of copies of a gradient while it is applied.
    is_held: whether all gradients are held until the last one is known.
    blocked: bytes of the kernels whose gradients can be applied in blocks, see `blockwise`; 0 if
      the update rule needs whole gradients.
    blocked_copy: bytes of their copy in low precision, which does not exist then.
    largest_other: bytes of the largest trainable variable beside them.
    num_layers: number of layers.
    num_variables: number of trainable variables.
  """

  stages: tuple[Stage, ...]
  num_frozen: int
  variables: int
  slots: int
  weights: int
  largest: int
  gradient_copies: int
  is_held: bool
  blocked: int
  blocked_copy: int
  largest_other: int
  num_layers: int
  num_variables: int

  def graph(self, micro_batches: int = 1, stage_parts: Sequence[int] = ()) -> int:
    """Bytes of the graph, whose micro-batches are built one by one."""
    per_layer = _PER_LAYER + _AGAIN * self._all_parts(stage_parts).count(1) / len(self.stages)
    operations = per_layer * self.num_layers * micro_batches + _PER_VARIABLE * self.num_variables
    return round(_OPERATION * operations)

  def in_blocks(self, micro_batches: int, stage_parts: Sequence[int]) -> bool:
    """Whether such a step applies gradients in blocks: not those that micro-batches add up."""
    return bool(self.blocked and stage_parts and micro_batches == 1)

  def parts(self, images: int, micro_batches: int = 1, stage_parts: Sequence[int] = ()) -> Memory:
    """Predicted peak of the resident memory of the process.

    Args:
      images: number of images of a micro-batch.
      micro_batches: number of micro-batches of a step.
      stage_parts: see `trunk.build_trunk`.
    """
    in_blocks = self.in_blocks(micro_batches, stage_parts)
    largest = max(self._phases(images, stage_parts, in_blocks), key=sum)
    return self._memory(largest, micro_batches, stage_parts)

  def peak(self, images: int, micro_batches: int, stage_parts: Sequence[int]) -> int:
    """The total of `parts`, in bytes."""
    return self.parts(images, micro_batches, stage_parts).total

  def peak_of_stage(
    self, images: int, micro_batches: int, stage_parts: Sequence[int], index: int
  ) -> int:
    """Predicted peak during the backward pass of one stage; see `peak`."""
    in_blocks = self.in_blocks(micro_batches, stage_parts)
    phase = self._phases(images, stage_parts, in_blocks)[index]
    return self._memory(phase, micro_batches, stage_parts).total

  def _memory(
    self, phase: tuple[int, int], micro_batches: int, stage_parts: Sequence[int]
  ) -> Memory:
    activations, gradients = phase
    in_blocks = self.in_blocks(micro_batches, stage_parts)
    graph = self.graph(micro_batches, stage_parts)
    return Memory(
      TENSORFLOW + graph + min(FREED, activations + gradients),
      self.variables - (self.blocked_copy if in_blocks else 0),
      self.slots,
      self._held_gradients(micro_batches) + gradients,
      activations,
    )

  def _phases(
    self, images: int, stage_parts: Sequence[int], in_blocks: bool
  ) -> list[tuple[int, int]]:
    """Bytes of activations and passing gradients: for each stage, then when the head is updated.

    Stages that go through together, see `net_spec.stage_groups`, have the same numbers.
    """
    kept = images * self.stages[0].input
    phases = []
    for first, end, parts in net_spec.stage_groups(self._all_parts(stage_parts)):
      group = self.stages[first:end]
      weights = sum(stage.weights for stage in group)
      phases += [(kept + self._phase(group, images, parts), 2 * weights)] * len(group)
      kept += images * (group[-1].output if parts else group[0].kept)
    # The gradients of the head are the first to be known, while all that is kept still is.
    head = self.largest * self.gradient_copies
    if in_blocks:
      head = max(_BLOCKS_AT_ONCE * block_sizes.BLOCK_BYTES, self.largest_other)
    return [*phases, (kept, head)]

  def _all_parts(self, stage_parts: Sequence[int]) -> list[int]:
    """Parts of every stage; 0 of those that are frozen or not computed again."""
    given = dict(enumerate(stage_parts))
    return [given.get(i, 0) if i >= self.num_frozen else 0 for i in range(len(self.stages))]

  def _phase(self, group: Sequence[Stage], images: int, parts: int) -> int:
    """Bytes that stages need in the backward pass, beyond what earlier ones keep."""
    ends = images * (group[0].input + group[-1].output)  # gradients of both
    layers = sum(stage.kept for stage in group) + max(stage.workspace for stage in group)
    if not parts:
      return ends + images * layers
    joined = ends if parts > 1 else images * group[-1].output
    return ends + joined + images // parts * layers

  def _held_gradients(self, micro_batches: int) -> int:
    """Bytes of gradients that exist during the whole backward pass."""
    if micro_batches > 1:
      return self.weights + (self.weights if self.is_held else 0)
    return self.weights if self.is_held else 0


def describe(config: TrainConfig, replicas: int = 1) -> StepMemory:
  """Reads off a config what decides the memory of its step.

  Args:
    config: config of the run.
    replicas: number of replicas that share the batch; several exchange whole gradients.
  """
  net = config.net
  layers = net.num_logits, net.image_size, net.fc_units, net.head
  memory = describe_network(
    specs.get(net.model),
    *layers,
    config.runtime.precision,
    config.optimizer,
    config.fine_tune.trainable_scopes,
  )
  if max(replicas, config.distribution.num_devices) > 1:
    memory = dataclasses.replace(memory, blocked=0)
  return memory


def describe_network(
  spec: net_spec.NetSpec,
  num_classes: int | None,
  image_size: int,
  fc_units: int,
  head: str | None,
  precision: str,
  settings: OptimizerConfig,
  trainable_scopes: Sequence[str] = (),
) -> StepMemory:
  """Like `describe`; the arguments of a network are those of `summary.summarize`.

  Args:
    spec: specification of the network.
    num_classes: number of class scores; None for the trunk alone.
    image_size: side of the images, in pixels.
    fc_units: number of units of hidden layers for which the head specifies none.
    head: name of the head; None for the network's own.
    precision: one of `summary.PRECISIONS`.
    settings: the update rule.
    trainable_scopes: scopes of the variables that are trained; empty for all.
  """
  size = summary.PRECISIONS[precision]
  rows = summary.summarize(spec, num_classes, image_size, fc_units, head)
  shapes = spec.parameter_shapes(num_classes, image_size, fc_units, head)
  totals = summary.total(rows)
  optimizer = OPTIMIZERS[settings.optimizer]
  averages = totals.trainable * (settings.moving_average_decay is not None)
  whole = {
    name: _FLOAT32 * math.prod(shape)
    for name, shape in shapes.items()
    if not trainable_scopes or is_under(f'{spec.scope}/{name}', trainable_scopes)
  }
  trained = totals.trainable if not trainable_scopes else sum(whole.values()) // _FLOAT32
  blocked = {}
  if settings.updates_in_blocks and precision != 'float16':
    blocked = {
      name: whole[name]
      for layer in spec.layers(num_classes, image_size, fc_units, head)[len(spec.trunk_layers()) :]
      if (name := f'{layer.name}/weights') in whole and block_sizes.is_worthwhile(shapes[name])
    }
  num_frozen = spec.count_frozen_stages(trainable_scopes)
  return StepMemory(
    _stages(spec, image_size, precision, num_frozen),
    num_frozen,
    _FLOAT32 * totals.parameters + size.weight_copy * totals.trainable,
    _FLOAT32 * (optimizer.num_slots * trained + averages),
    _FLOAT32 * trained,
    max(whole.values(), default=0),
    1 if settings.folds_decay or not settings.weight_decay else 2,
    # float16 checks all gradients for overflow first.
    settings.clip_gradient_norm is not None or precision == 'float16',
    sum(blocked.values()),
    size.weight_copy * sum(blocked.values()) // _FLOAT32,
    max((size for name, size in whole.items() if name not in blocked), default=0),
    len(rows),
    len(whole),
  )


def _stages(
  spec: net_spec.NetSpec, side: int, precision: str, num_frozen: int
) -> tuple[Stage, ...]:
  layers = spec.trunk_layers()
  sides = net_spec.output_sides(layers, side)
  channels = {net_spec.IMAGES: 3, **{layer.name: layer.channels for layer in layers}}
  size = summary.PRECISIONS[precision].activation

  def map_bytes(name: str) -> int:
    return sides[name] ** 2 * channels[name] * size

  stages = []
  for index, stage in enumerate(spec.trunk_stages()):
    layer_bytes = functools.partial(_layer_bytes, sides, channels, precision)
    kept, workspace = zip(*map(layer_bytes, stage), strict=True)
    weights = [_weights(layer, channels) for layer in stage]
    described = Stage(
      map_bytes(stage[0].inputs[0]),
      map_bytes(stage[-1].name),
      sum(kept),
      max(workspace),
      _FLOAT32 * sum(weights),
      sum(n * sides[layer.name] ** 2 for n, layer in zip(weights, stage, strict=True)),
    )
    if index < num_frozen:
      inputs = [sum(map(map_bytes, layer.inputs)) for layer in stage]
      described = described._replace(
        kept=described.output * (index == num_frozen - 1),
        workspace=max(map(sum, zip(workspace, inputs, strict=True))),
        weights=0,
      )
    stages.append(described)
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
  tiles = size * winograd_values(layer, n_in, side, precision, trains=True)
  if not tiles:
    return kept, 2 * output
  return kept + tiles * n_in, 2 * tiles * max(n_in, layer.channels)


def winograd_values(layer: Layer, n_in: int, side: int, precision: str, trains: bool) -> int:
  """Number of transformed values per channel of an image of `side`; 0 without Winograd.

  The number of images that a layer sees at once is not known here: as many as the algorithm needs.
  """
  if layer.kind != 'conv' or precision != 'float32':
    return 0
  shape = [layer.kernel, layer.kernel, n_in, layer.channels]
  padding = 'SAME' if 2 * layer.padding == layer.kernel - 1 else 'VALID'
  limits = conv_thresholds.current()
  count = max(limits.inference_tiles, limits.training_tiles)
  if not conv_thresholds.is_winograd_faster(
    shape, layer.stride, padding, (side, side), count, trains
  ):
    return 0
  return 36 * math.ceil(side / 4) ** 2
