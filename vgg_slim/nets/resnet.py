"""ResNet v1 as data (He et al., arXiv:1512.03385, Table 1). No TensorFlow.

Published implementations differ in five respects, which are all fields of `ResNetSpec`: which layer
of a block has the stride, the padding of the stem's pool, whether convolutions before batch norm
have a bias, and the two settings of batch norm. All rows use slim's scopes.
"""

import dataclasses
import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from vgg_slim.nets.net_spec import IMAGES, BatchNorm, Layer, NetSpec

STEM_KERNEL = 7
POOL_KERNEL = 3


class UnitKind(NamedTuple):
  """Form of the residual units (Figure 5 of the paper).

  Attributes:
    suffix: last component of a unit's scope.
    kernels: sides of the kernels of the convolutions.
    expansion: number of output channels of the last convolution / of the others.
  """

  suffix: str
  kernels: tuple[int, ...]
  expansion: int


BASIC = UnitKind('basic_v1', (3, 3), 1)
BOTTLENECK = UnitKind('bottleneck_v1', (1, 3, 1), 4)


class Block(NamedTuple):
  """The units of one resolution.

  Attributes:
    channels: number of channels of each convolution of a unit, before the last one is expanded.
    units: number of units.
    stride: stride of the unit that `ResNetSpec.stride_unit` names.
  """

  channels: int
  units: int
  stride: int


class Unit(NamedTuple):
  """One residual unit: convolutions and a shortcut around them.

  Attributes:
    scope: variable scope, such as 'block1/unit_1/bottleneck_v1'.
    channels: number of output channels of each convolution.
    kernels: side of the kernel of each convolution.
    strides: stride of each convolution.
    projection: whether a 1x1 convolution widens the shortcut; otherwise it is subsampled.
  """

  scope: str
  channels: tuple[int, ...]
  kernels: tuple[int, ...]
  strides: tuple[int, ...]
  projection: bool

  @property
  def stride(self) -> int:
    """Stride of the shortcut."""
    return max(self.strides)

  @property
  def position(self) -> tuple[int, int]:
    """Numbers of the block and of the unit within it, from 1."""
    block, unit = re.findall(r'(?:block|unit_)(\d+)', self.scope)
    return int(block), int(unit)


@dataclasses.dataclass(frozen=True)
class ResNetSpec(NetSpec):
  """One column of Table 1, as one implementation has it.

  Attributes:
    blocks: the four resolutions.
    unit_kind: form of the units.
    pool_padding: padding of the stem's 3x3/2 max pool: zeros on each side, or 'SAME'.
    stride_unit: the unit of a block that has the stride, 'first' or 'last'.
    stride_conv: index of the convolution of that unit that has the stride.
    stem_channels: number of channels of the first convolution.
  """

  blocks: tuple[Block, ...]
  unit_kind: UnitKind = BOTTLENECK
  pool_padding: int | Literal['SAME'] = 1
  stride_unit: str = 'first'
  stride_conv: int = 0
  stem_channels: int = 64
  head: str = dataclasses.field(kw_only=True, default='linear')

  average = True
  average_scope = 'pool5'

  @property
  def fc_scopes(self) -> tuple[str, str, str]:
    return 'fc6', 'fc7', 'logits'

  def units(self) -> Iterator[Unit]:
    """Yields the units in the order of the network."""
    suffix, kernels, expansion = self.unit_kind
    n_in = self.stem_channels
    for b, block in enumerate(self.blocks, start=1):
      strided = 1 if self.stride_unit == 'first' else block.units
      n_out = block.channels * expansion
      channels = (block.channels,) * (len(kernels) - 1) + (n_out,)
      for u in range(1, block.units + 1):
        strides = [1] * len(kernels)
        if u == strided:
          strides[self.stride_conv] = block.stride
        scope = f'block{b}/unit_{u}/{suffix}'
        yield Unit(scope, channels, kernels, tuple(strides), n_in != n_out)
        n_in = n_out

  def trunk_layers(self) -> tuple[Layer, ...]:
    norm = {'biases': self.conv_biases, 'batch_norm': True}
    stem = self.stem_channels
    rows = [
      Layer('conv1', 'conv', (IMAGES,), stem, STEM_KERNEL, 2, STEM_KERNEL // 2, relu=True, **norm),
      Layer('pool1', 'max_pool', ('conv1',), stem, POOL_KERNEL, 2, self.pool_padding),
    ]
    for unit in self.units():
      rows += _unit_layers(unit, rows[-1].name, norm)
    return tuple(rows)

  def thin(self, channels: int) -> 'ResNetSpec':
    full = self.stem_channels
    blocks = tuple(b._replace(channels=b.channels * channels // full) for b in self.blocks)
    return dataclasses.replace(
      self, name=f'{self.name}@{channels}', blocks=blocks, stem_channels=channels
    )


def _unit_layers(unit: Unit, n_in: str, norm: dict[str, bool]) -> list[Layer]:
  """Returns the layers of a unit: a shortcut if it needs one, the convolutions and their sum."""
  rows, shortcut, wide = [], n_in, unit.channels[-1]
  if unit.projection or unit.stride > 1:
    shortcut = f'{unit.scope}/shortcut'
    kind, settings = ('conv', norm) if unit.projection else ('subsample', {})
    rows.append(Layer(shortcut, kind, (n_in,), wide, 1, unit.stride, **settings))
  convs = zip(unit.channels, unit.kernels, unit.strides, strict=True)
  for i, (channels, kernel, stride) in enumerate(convs, start=1):
    name, relu = f'{unit.scope}/conv{i}', i < len(unit.kernels)
    rows.append(
      Layer(name, 'conv', (n_in,), channels, kernel, stride, kernel // 2, relu=relu, **norm)
    )
    n_in = name
  return [*rows, Layer(unit.scope, 'add', (n_in, shortcut), wide, relu=True)]


def _blocks(units: tuple[int, ...], strides: tuple[int, ...] = (1, 2, 2, 2)) -> tuple[Block, ...]:
  return tuple(
    Block(channels, n, stride)
    for channels, n, stride in zip((64, 128, 256, 512), units, strides, strict=True)
  )


_UNITS = {
  18: (2, 2, 2, 2),
  34: (3, 4, 6, 3),
  50: (3, 4, 6, 3),
  101: (3, 4, 23, 3),
  152: (3, 8, 36, 3),
}
_TORCH_BATCH_NORM = BatchNorm(decay=0.9, epsilon=1e-5)

# Keras of 2015 to 2018 and scripts copied from it: the pool is not padded, so that 224 px give
# 55x55, and batch norm has Keras's defaults.
_SCRIPT = ResNetSpec(
  'resnet50',
  'resnet50',
  blocks=_blocks(_UNITS[50]),
  batch_norm=BatchNorm(decay=0.99, epsilon=1e-3),
  pool_padding=0,
  conv_biases=True,
)

RESNET: dict[str, ResNetSpec] = {
  # The basic units have one implementation: torchvision's are the paper's.
  **{
    name: ResNetSpec(name, name, _blocks(_UNITS[depth]), BASIC, batch_norm=_TORCH_BATCH_NORM)
    for name, depth in (('resnet18', 18), ('resnet34', 34))
  },
  'resnet50': _SCRIPT,
  # Current keras.applications.ResNet50, for its weights: 224 px give 56x56.
  'resnet50_keras': dataclasses.replace(
    _SCRIPT,
    name='resnet50_keras',
    scope='resnet50_keras',
    pool_padding=1,
    batch_norm=BatchNorm(decay=0.99, epsilon=1.001e-5),
  ),
  # torchvision.models.resnet50, for its weights: the 3x3 convolution has the stride.
  'resnet50_torchvision': ResNetSpec(
    'resnet50_torchvision',
    'resnet50_torchvision',
    _blocks(_UNITS[50]),
    stride_conv=1,
    batch_norm=_TORCH_BATCH_NORM,
  ),
  # tf_slim.nets.resnet_v1, for the published slim checkpoints.
  **{
    f'resnet_v1_{depth}': ResNetSpec(
      f'resnet_v1_{depth}',
      f'resnet_v1_{depth}',
      _blocks(_UNITS[depth], strides=(2, 2, 2, 1)),
      pool_padding='SAME',
      stride_unit='last',
      stride_conv=1,
      batch_norm=BatchNorm(decay=0.997, epsilon=1e-5),
    )
    for depth in (50, 101, 152)
  },
}
