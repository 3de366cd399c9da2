"""ResNet v1 with bottlenecks as data (He et al., arXiv:1512.03385, Table 1). No TensorFlow.

Published implementations differ in five respects, which are all fields of `ResNetSpec`: which layer
of a block has the stride, the padding of the stem's pool, whether convolutions before batch norm
have a bias, and the two settings of batch norm. All rows use slim's scopes.
"""

import dataclasses
from collections.abc import Iterator
from typing import NamedTuple

from vgg_slim.nets.net_spec import IMAGES, BatchNorm, Layer, NetSpec

EXPANSION = 4  # output channels of a unit / channels of its bottleneck
STEM_KERNEL = 7
POOL_KERNEL = 3


class Block(NamedTuple):
  """The units of one resolution.

  Attributes:
    channels: number of channels of the bottleneck; the units output four times as many.
    units: number of units.
    stride: stride of the unit that `ResNetSpec.stride_unit` names.
  """

  channels: int
  units: int
  stride: int


class Pool(NamedTuple):
  """Padding of the stem's 3x3/2 max pool: zeros on each side, then 'VALID' or 'SAME'."""

  zeros: int
  padding: str


class Unit(NamedTuple):
  """One bottleneck: 1x1, 3x3, 1x1 and a shortcut around them.

  Attributes:
    scope: variable scope, such as 'block1/unit_1/bottleneck_v1'.
    channels: number of channels of the bottleneck.
    strides: strides of the first 1x1 convolution, the 3x3 convolution and the shortcut.
    projection: whether a 1x1 convolution widens the shortcut; otherwise it is subsampled.
  """

  scope: str
  channels: int
  strides: tuple[int, int, int]
  projection: bool


@dataclasses.dataclass(frozen=True)
class ResNetSpec(NetSpec):
  """One column of Table 1, as one implementation has it.

  Attributes:
    blocks: the four resolutions.
    pool: padding of the stem's pool.
    stride_unit: the unit of a block that has the stride, 'first' or 'last'.
    stride_conv: the convolution of that unit that has the stride: 1 (the first 1x1) or 2 (the 3x3).
    conv_biases: whether convolutions before batch norm have a bias, which batch norm cancels.
    batch_norm: settings of batch norm.
    stem_channels: number of channels of the first convolution.
  """

  blocks: tuple[Block, ...]
  pool: Pool
  stride_unit: str
  stride_conv: int
  conv_biases: bool
  batch_norm: BatchNorm
  stem_channels: int = 64
  head: str = dataclasses.field(kw_only=True, default='linear')

  average = True
  average_scope = 'pool5'
  fc_scopes = ('fc6', 'fc7', 'logits')

  def units(self) -> Iterator[Unit]:
    """Yields the units in the order of the network."""
    n_in = self.stem_channels
    for b, block in enumerate(self.blocks, start=1):
      strided = 1 if self.stride_unit == 'first' else block.units
      for u in range(1, block.units + 1):
        stride = block.stride if u == strided else 1
        strides = (stride, 1, stride) if self.stride_conv == 1 else (1, stride, stride)
        n_out = block.channels * EXPANSION
        yield Unit(f'block{b}/unit_{u}/bottleneck_v1', block.channels, strides, n_in != n_out)
        n_in = n_out

  def trunk_layers(self) -> tuple[Layer, ...]:
    norm = {'biases': self.conv_biases, 'batch_norm': True}
    stem, zeros = self.stem_channels, self.pool.zeros
    pad = 'SAME' if self.pool.padding == 'SAME' else zeros
    rows = [
      Layer('conv1', 'conv', (IMAGES,), stem, STEM_KERNEL, 2, STEM_KERNEL // 2, relu=True, **norm),
      Layer('pool1', 'max_pool', ('conv1',), stem, POOL_KERNEL, 2, pad),
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
  wide = unit.channels * EXPANSION
  first, second, shortcut = unit.strides
  names = {name: f'{unit.scope}/{name}' for name in ('shortcut', 'conv1', 'conv2', 'conv3')}
  rows = []
  if unit.projection:
    rows.append(Layer(names['shortcut'], 'conv', (n_in,), wide, 1, shortcut, **norm))
  elif shortcut > 1:
    rows.append(Layer(names['shortcut'], 'subsample', (n_in,), wide, 1, shortcut))
  branch = rows[0].name if rows else n_in
  return [
    *rows,
    Layer(names['conv1'], 'conv', (n_in,), unit.channels, 1, first, relu=True, **norm),
    Layer(
      names['conv2'], 'conv', (names['conv1'],), unit.channels, 3, second, 1, relu=True, **norm
    ),
    Layer(names['conv3'], 'conv', (names['conv2'],), wide, **norm),
    Layer(unit.scope, 'add', (names['conv3'], branch), wide, relu=True),
  ]


def _blocks(units: tuple[int, ...], strides: tuple[int, ...]) -> tuple[Block, ...]:
  return tuple(
    Block(channels, n, stride)
    for channels, n, stride in zip((64, 128, 256, 512), units, strides, strict=True)
  )


_UNITS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}

# Keras of 2015 to 2018 and scripts copied from it: the pool is not padded, so that 224 px give
# 55x55, and batch norm has Keras's defaults.
_SCRIPT = ResNetSpec(
  'resnet50',
  'resnet50',
  blocks=_blocks(_UNITS[50], strides=(1, 2, 2, 2)),
  pool=Pool(zeros=0, padding='VALID'),
  stride_unit='first',
  stride_conv=1,
  conv_biases=True,
  batch_norm=BatchNorm(decay=0.99, epsilon=1e-3),
)

RESNET: dict[str, ResNetSpec] = {
  'resnet50': _SCRIPT,
  # Current keras.applications.ResNet50, for its weights: 224 px give 56x56.
  'resnet50_keras': dataclasses.replace(
    _SCRIPT,
    name='resnet50_keras',
    scope='resnet50_keras',
    pool=Pool(zeros=1, padding='VALID'),
    batch_norm=BatchNorm(decay=0.99, epsilon=1.001e-5),
  ),
  # torchvision.models.resnet50, for its weights: the 3x3 convolution has the stride.
  'resnet50_torchvision': dataclasses.replace(
    _SCRIPT,
    name='resnet50_torchvision',
    scope='resnet50_torchvision',
    pool=Pool(zeros=1, padding='VALID'),
    stride_conv=2,
    conv_biases=False,
    batch_norm=BatchNorm(decay=0.9, epsilon=1e-5),
  ),
  # tf_slim.nets.resnet_v1, for the published slim checkpoints.
  **{
    f'resnet_v1_{depth}': ResNetSpec(
      f'resnet_v1_{depth}',
      f'resnet_v1_{depth}',
      blocks=_blocks(units, strides=(2, 2, 2, 1)),
      pool=Pool(zeros=0, padding='SAME'),
      stride_unit='last',
      stride_conv=2,
      conv_biases=False,
      batch_norm=BatchNorm(decay=0.997, epsilon=1e-5),
    )
    for depth, units in _UNITS.items()
  },
}
