"""The VGG paper's tables as data (Simonyan & Zisserman, arXiv:1409.1556, Table 1). No TensorFlow.

Each row is a network and each tuple a stage, which ends with a 2x2/2 max pool.
"""

import dataclasses
from collections.abc import Iterator
from typing import NamedTuple

from vgg_slim.nets.net_spec import BatchNorm, Layer, NetSpec, chain


class Conv(NamedTuple):
  """A stride-1, zero-padded convolution with bias and ReLU.

  Attributes:
    channels: number of output channels.
    kernel: side of the kernel, in pixels.
    dropout: fraction of the outputs that training drops.
  """

  channels: int
  kernel: int = 3
  dropout: float = 0.0


class Scopes(NamedTuple):
  """Names of the layers: {s} is the stage, {u} the convolution within it."""

  conv: str
  fc: tuple[str, str, str]


SLIM_SCOPES = Scopes('conv{s}/conv{s}_{u}', ('fc6', 'fc7', 'fc8'))
FLAT_SCOPES = Scopes('conv{s}_{u}', ('fc1', 'fc2', 'fc3'))

Stages = tuple[tuple[Conv, ...], ...]

_CHANNELS = (64, 128, 256, 512, 512)

# Slim has no VGG with batch norm; the decay is Keras's. With slim's 0.997, the initial values still
# count 28 % after an epoch of 422 steps: validation accuracy was 26 % then, training accuracy 80 %.
_BATCH_NORM = BatchNorm(decay=0.99, epsilon=1e-5)
_PADDLE_BATCH_NORM = BatchNorm(decay=0.9, epsilon=1e-5)


def _stages(convs_per_stage: tuple[int, ...]) -> Stages:
  return tuple(
    (Conv(channels),) * n for n, channels in zip(convs_per_stage, _CHANNELS, strict=True)
  )


def _with_1x1(stages: Stages) -> Stages:
  """Adds configuration C's 1x1 convolution to the end of stages 3 to 5."""
  return stages[:2] + tuple((*stage, Conv(stage[-1].channels, kernel=1)) for stage in stages[2:])


def _with_dropout(stages: Stages, rates: tuple[float, ...]) -> Stages:
  """Adds dropout with each stage's rate after its convolutions, except the last one."""
  return tuple(
    (*(conv._replace(dropout=rate) for conv in stage[:-1]), stage[-1])
    for stage, rate in zip(stages, rates, strict=True)
  )


@dataclasses.dataclass(frozen=True)
class VggSpec(NetSpec):
  """One column of Table 1.

  Attributes:
    stages: convolutions of each stage.
    lrn: whether local response normalization follows the first convolution (A-LRN).
    scopes: names of the layers.
  """

  stages: Stages
  lrn: bool = False
  scopes: Scopes = SLIM_SCOPES

  # The paper's networks were trained in Caffe, whose pools round up.
  pools_may_ceil = True

  @property
  def fc_scopes(self) -> tuple[str, str, str]:
    return self.scopes.fc

  def conv_scope(self, stage: int, unit: int) -> str:
    """Returns the scope of a convolution, such as 'conv1/conv1_1'; both numbers start at 1."""
    return self.scopes.conv.format(s=stage, u=unit)

  def convolutions(self) -> Iterator[tuple[str, Conv]]:
    """Yields (scope, convolution) in the order of the network."""
    for s, stage in enumerate(self.stages, start=1):
      for u, conv in enumerate(stage, start=1):
        yield self.conv_scope(s, u), conv

  def trunk_layers(self) -> tuple[Layer, ...]:
    bn = self.batch_norm is not None
    rows = []
    for s, stage in enumerate(self.stages, start=1):
      for u, (channels, kernel, dropout) in enumerate(stage, start=1):
        name = self.conv_scope(s, u)
        rows.append(Layer(name, 'conv', (), channels, kernel, 1, kernel // 2, not bn, bn, True))
        if dropout:
          rows.append(Layer(f'dropout{s}_{u}', 'dropout', (), channels, drop_rate=dropout))
      if self.lrn and s == 1:
        rows.append(Layer('lrn1', 'lrn', (), channels))
      rows.append(Layer(f'pool{s}', 'max_pool', (), channels, kernel=2, stride=2))
    return chain(rows)

  def thin(self, channels: int) -> 'VggSpec':
    full = self.stages[0][0].channels
    stages = tuple(
      tuple(conv._replace(channels=conv.channels * channels // full) for conv in stage)
      for stage in self.stages
    )
    return dataclasses.replace(self, name=f'{self.name}@{channels}', stages=stages)


_ROWS = {
  'vgg_a': ('vgg_a', _stages((1, 1, 2, 2, 2))),
  'vgg_b': ('vgg_b', _stages((2, 2, 2, 2, 2))),
  'vgg_c': ('vgg_c', _with_1x1(_stages((2, 2, 2, 2, 2)))),
  'vgg_d': ('vgg_16', _stages((2, 2, 3, 3, 3))),
  'vgg_e': ('vgg_19', _stages((2, 2, 4, 4, 4))),
}

VGG: dict[str, VggSpec] = {
  **{name: VggSpec(name, scope, stages) for name, (scope, stages) in _ROWS.items()},
  'vgg_a_lrn': VggSpec('vgg_a_lrn', 'vgg_a_lrn', _ROWS['vgg_a'][1], lrn=True),
  **{
    f'{name}_bn': VggSpec(f'{name}_bn', f'{scope}_bn', stages, batch_norm=_BATCH_NORM)
    for name, (scope, stages) in _ROWS.items()
  },
  # PaddlePaddle's `vgg_bn_drop` for 32x32 images. Its convolutions also have biases, which
  # batch norm cancels; they are omitted here.
  'vgg_cifar': VggSpec(
    'vgg_cifar',
    'vgg_cifar',
    _with_dropout(_ROWS['vgg_d'][1], (0.3, 0.4, 0.4, 0.4, 0.4)),
    batch_norm=_PADDLE_BATCH_NORM,
    head='cifar',
    image_size=32,
  ),
}

# The common names of A, B, D and E, after the number of layers with weights.
ALIASES = {
  alias + suffix: name + suffix
  for alias, name in (
    ('vgg11', 'vgg_a'),
    ('vgg13', 'vgg_b'),
    ('vgg16', 'vgg_d'),
    ('vgg19', 'vgg_e'),
  )
  for suffix in ('', '_bn')
}
