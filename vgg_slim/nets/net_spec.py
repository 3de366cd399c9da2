"""Specification of a network: shapes, strides and parameter counts. No TensorFlow.

A family (`vgg`, `resnet`) defines how a row of its table expands to a flat list of
`Layer`s. Variable shapes, the smallest image, receptive fields and the summary follow from it.
"""

import dataclasses
import math
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from vgg_slim.constants import FC_UNITS, IMAGE_SIDE, NUM_IMAGENET_CLASSES
from vgg_slim.errors import ConfigError
from vgg_slim.nets import head_specs
from vgg_slim.scopes import is_under

IMAGES = 'images'  # name of the network's input in `Layer.inputs`

Shapes = dict[str, tuple[int, ...]]


class BatchNorm(NamedTuple):
  """Settings of batch norm with scale and shift.

  Attributes:
    decay: decay of the moving mean and variance.
    epsilon: constant added to the variance.
  """

  decay: float
  epsilon: float


class Layer(NamedTuple):
  """One row of the flat layer list.

  Attributes:
    name: variable scope, or name of the operation, below the network's scope.
    kind: 'conv', 'fc', 'max_pool', 'average_pool', 'lrn', 'dropout', 'add' or 'subsample'.
    inputs: names of the layers that it reads; IMAGES is the network's input.
    channels: number of output channels.
    kernel: side of the window, in pixels.
    stride: stride, in pixels of the input.
    padding: number of zeros on each of the four sides, or 'SAME' (output side
      ceil(input / stride)).
    biases: whether the layer has a bias.
    batch_norm: whether batch norm follows.
    relu: whether a ReLU follows.
    drop_rate: fraction of the outputs that dropout in the trunk drops; the caller sets the rate of
      dropout in the head.
  """

  name: str
  kind: str
  inputs: tuple[str, ...]
  channels: int
  kernel: int = 1
  stride: int = 1
  padding: int | Literal['SAME'] = 0
  biases: bool = False
  batch_norm: bool = False
  relu: bool = False
  drop_rate: float = 0.0

  @property
  def has_weights(self) -> bool:
    return self.kind in ('conv', 'fc')

  def output_side(self, side: int) -> int:
    """Side of the output for an input of `side`; 0 or less if the window does not fit."""
    if self.padding == 'SAME':
      return math.ceil(side / self.stride)
    return (side + 2 * self.padding - self.kernel) // self.stride + 1


def output_sides(layers: Iterable[Layer], side: int) -> dict[str, int]:
  """Returns the side of every layer's output by name, for square images of `side` pixels."""
  sides = {IMAGES: side}
  for layer in layers:
    sides[layer.name] = min(layer.output_side(sides[name]) for name in layer.inputs)
  return sides


@dataclasses.dataclass(frozen=True)
class NetSpec:
  """A row of a table of networks; each family adds its own columns and `trunk_layers`.

  Attributes:
    name: name of the network, a value of `--model`.
    scope: root variable scope, the same as in slim if slim has the network.
    head: name of the network's own head in `head_specs.HEADS`.
    image_size: side of the images, in pixels, that the network was published for.
    batch_norm: settings of the batch norm after every convolution; None for none.
    conv_biases: whether convolutions before batch norm have a bias, which batch norm cancels.
  """

  name: str
  scope: str
  head: str = dataclasses.field(kw_only=True, default='vgg')
  image_size: int = dataclasses.field(kw_only=True, default=IMAGE_SIDE)
  batch_norm: BatchNorm | None = dataclasses.field(kw_only=True, default=None)
  conv_biases: bool = dataclasses.field(kw_only=True, default=False)

  # Whether every head reads the average of the last map (ResNet) or a window of it (VGG).
  average = False
  average_scope = 'average'  # 'pool5' is VGG's last max pool
  # Whether pools may round their output sides up, see `check_pool_rounding`.
  pools_may_ceil = False

  @property
  def fc_scopes(self) -> tuple[str, str, str]:
    """Scopes of the head's layers: the hidden layers in order, then the class scores."""
    return 'fc6', 'fc7', 'fc8'

  def trunk_layers(self) -> tuple[Layer, ...]:
    """Returns the layers below the head, in the order of the network."""
    raise NotImplementedError

  def trunk_stages(self) -> list[tuple[Layer, ...]]:
    """Returns `trunk_layers` cut after each max pool and each residual sum.

    A stage reads the last map of the stage before it and nothing else.
    """
    stages: list[tuple[Layer, ...]] = []
    start, layers = 0, self.trunk_layers()
    for end, layer in enumerate(layers, start=1):
      if layer.kind in ('max_pool', 'add') or end == len(layers):
        stages.append(layers[start:end])
        start = end
    return stages

  def count_frozen_stages(self, trainable_scopes: Sequence[str], root: str | None = None) -> int:
    """Number of first stages below the lowest one that is trained: they have no backward pass.

    Args:
      trainable_scopes: scopes of what is trained; empty for everything.
      root: scope of the network; its own by default.
    """
    root = self.scope if root is None else root
    for index, stage in enumerate(self.trunk_stages()):
      names = [f'{root}/{layer.name}' for layer in stage if layer.has_weights]
      if not trainable_scopes or any(_overlap(name, trainable_scopes) for name in names):
        return index
    return index + 1

  def thin(self, channels: int) -> 'NetSpec':
    """Returns the row with `channels` channels in its first stage, the others in proportion."""
    raise NotImplementedError

  @property
  def stride(self) -> int:
    """Stride of the class score map, in pixels of the image."""
    steps = {IMAGES: 1}
    for layer in self.trunk_layers():
      steps[layer.name] = steps[layer.inputs[0]] * layer.stride
    return steps[layer.name]

  @property
  def minimum_side(self) -> int:
    """The smallest image side for which no feature map is empty."""
    return self.smallest_side(1)

  def smallest_side(self, last_map: int) -> int:
    """The smallest image side for which the last map has `last_map` cells and no map is empty."""
    layers = self.trunk_layers()
    side = 1
    while True:
      sides = output_sides(layers, side)
      if sides[layers[-1].name] >= last_map and min(sides.values()) >= 1:
        return side
      side += 1

  def check_sides(self, sides: Iterable[int | None], image_size: int, last_map: int) -> None:
    """Raises ConfigError if images are too small.

    Args:
      sides: height and width of the images, in pixels; None where unknown.
      image_size: side of the images at which the class score map is 1x1, for the message.
      last_map: number of cells that each side of the last map needs.
    """
    smallest = self.smallest_side(last_map)
    for side in sides:
      if side is not None and side < smallest:
        raise ConfigError(
          f'Images of {side} pixels are too small for {self.name} at image_size={image_size}: '
          f'at least {smallest} are needed, or a smaller image_size.'
        )

  def check_pool_rounding(self, rounding: str) -> None:
    """Raises ConfigError if the pools of this network do not support `rounding`."""
    if rounding != 'floor' and not self.pools_may_ceil:
      raise ConfigError(
        f'pool_rounding={rounding} is the geometry of the VGG paper, which {self.name} does not '
        'have. Leave it at floor.'
      )

  def map_side(self, image_size: int) -> int:
    """Side of the trunk's last feature map.

    Raises:
      ConfigError: the image is too small for the layers.
    """
    if image_size < self.minimum_side:
      raise ConfigError(
        f'image_size={image_size} is too small for {self.name}: its layers need at least '
        f'{self.minimum_side} pixels.'
      )
    layers = self.trunk_layers()
    return output_sides(layers, image_size)[layers[-1].name]

  def averages(self, head: str | None = None) -> bool:
    """Whether the head (by default the network's own) reads the average of the last map."""
    return self.average or head_specs.get(head or self.head).average

  def fc_kernel(self, image_size: int, head: str | None = None) -> int:
    """Kernel side of the head's first layer, so that images of `image_size` give one score.

    Raises:
      ConfigError: see `map_side`.
    """
    side = self.map_side(image_size)
    return 1 if self.averages(head) else side

  def head_window(self, image_size: int, head: str | None = None) -> int:
    """Side of the window of the last feature map that one cell of the class score map reads.

    A linear head on averaged features scores every cell of the map on its own, since the average of
    the scores is the score of the average. Hidden layers must read the average first.
    """
    side = self.map_side(image_size)
    linear = not head_specs.get(head or self.head).hidden
    return 1 if self.averages(head) and linear else side

  def head_scopes(self, head: str | None = None) -> tuple[str, ...]:
    """Scopes of the head's layers, including that of the network, such as 'vgg_16/fc8'.

    Args:
      head: name of the head in `head_specs.HEADS`; the network's own by default.
    """
    hidden = len(head_specs.get(head or self.head).hidden)
    names = (*self.fc_scopes[:hidden], self.fc_scopes[-1])
    return tuple(f'{self.scope}/{name}' for name in names)

  def layers(
    self,
    num_classes: int | None = NUM_IMAGENET_CLASSES,
    image_size: int | None = None,
    fc_units: int = FC_UNITS,
    head: str | None = None,
  ) -> tuple[Layer, ...]:
    """Returns all layers of the network, in order.

    Args:
      num_classes: number of classes; None for the trunk alone.
      image_size: side of the images, in pixels, at which the class score map is 1x1; the network's
        own by default.
      fc_units: number of units of hidden layers for which the head specifies none.
      head: name of the head in `head_specs.HEADS`; the network's own by default.
    """
    trunk = self.trunk_layers()
    if num_classes is None:
      return trunk
    side = self.map_side(image_size or self.image_size)
    row = head_specs.get(head or self.head)
    average = self.averages(head)
    rows = (
      [Layer(self.average_scope, 'average_pool', (), trunk[-1].channels, side)] if average else []
    )
    if row.input_dropout:
      rows.append(Layer('dropout5', 'dropout', (), trunk[-1].channels))
    kernel = 1 if average else side
    for scope, fc in zip(self.fc_scopes, row.hidden, strict=False):
      units = fc.units or fc_units
      rows.append(Layer(scope, 'fc', (), units, kernel, 1, 0, not fc.batch_norm, *fc[1:3]))
      if fc.dropout:
        rows.append(Layer(f'dropout{scope[2:]}', 'dropout', (), units))
      kernel = 1
    rows.append(Layer(self.fc_scopes[-1], 'fc', (), num_classes, kernel, biases=True))
    return trunk + chain(rows, trunk[-1].name)

  def parameter_shapes(
    self,
    num_classes: int | None = NUM_IMAGENET_CLASSES,
    image_size: int | None = None,
    fc_units: int = FC_UNITS,
    head: str | None = None,
  ) -> Shapes:
    """Shapes of the trainable variables by name below the network's scope; see `layers`."""
    shapes: Shapes = {}
    for layer, n_in in with_input_channels(self.layers(num_classes, image_size, fc_units, head)):
      if not layer.has_weights:
        continue
      shapes[f'{layer.name}/weights'] = (layer.kernel, layer.kernel, n_in, layer.channels)
      vectors = ['biases'] * layer.biases
      vectors += ['BatchNorm/gamma', 'BatchNorm/beta'] * layer.batch_norm
      shapes.update({f'{layer.name}/{vector}': (layer.channels,) for vector in vectors})
    return shapes

  def non_trainable_shapes(
    self,
    num_classes: int | None = NUM_IMAGENET_CLASSES,
    image_size: int | None = None,
    fc_units: int = FC_UNITS,
    head: str | None = None,
  ) -> Shapes:
    """Shapes of the variables that are not trained: the moving averages of batch norm."""
    return {
      f'{layer.name}/BatchNorm/{statistic}': (layer.channels,)
      for layer in self.layers(num_classes, image_size, fc_units, head)
      for statistic in ('moving_mean', 'moving_variance')
      if layer.batch_norm
    }


def _overlap(name: str, scopes: Sequence[str]) -> bool:
  """Whether the scope `name` is under one of `scopes`, or one of them under it."""
  return is_under(name, scopes) or any(is_under(scope, [name]) for scope in scopes)


def stage_groups(stage_parts: Sequence[int]) -> list[tuple[int, int, int]]:
  """Stages that go through together: neighbors with the same number of parts, if several.

  Between two stages of a group no map of the whole batch exists.

  Args:
    stage_parts: number of parts of each stage; 0 for a stage that is not computed again.

  Returns:
    For each group the index of its first stage, the index after its last one, and its parts.
  """
  groups: list[tuple[int, int, int]] = []
  for index, parts in enumerate(stage_parts):
    if parts > 1 and groups and groups[-1][2] == parts:
      groups[-1] = (groups[-1][0], index + 1, parts)
    else:
      groups.append((index, index + 1, parts))
  return groups


def chain(layers: Iterable[Layer], first_input: str = IMAGES) -> tuple[Layer, ...]:
  """Connects every layer to the one before it, and the first one to `first_input`."""
  chained: list[Layer] = []
  for layer in layers:
    before = chained[-1].name if chained else first_input
    chained.append(layer._replace(inputs=(before,)))
  return tuple(chained)


def with_input_channels(layers: Iterable[Layer]) -> list[tuple[Layer, int]]:
  """Pairs every layer with the number of channels of its first input; images have three."""
  channels = {IMAGES: 3}
  pairs = []
  for layer in layers:
    pairs.append((layer, channels[layer.inputs[0]]))
    channels[layer.name] = layer.channels
  return pairs
