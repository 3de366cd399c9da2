"""The VGG paper's tables as data (Simonyan & Zisserman, arXiv:1409.1556, Table 1). No TensorFlow.

One row is one network, one tuple is one stage; a 2x2/2 max pool ends every stage. What can be
derived from a row (stride, smallest side, end-point names, parameter counts) is derived here.
"""

import dataclasses
import difflib
from collections.abc import Iterator
from typing import NamedTuple

from vgg_slim.constants import IMAGE_SIDE
from vgg_slim.errors import ConfigError


class Conv(NamedTuple):
  """A stride-1, zero-padded convolution with bias and ReLU."""

  channels: int
  kernel: int = 3


Stages = tuple[tuple[Conv, ...], ...]

_CHANNELS = (64, 128, 256, 512, 512)


def _stages(convs_per_stage: tuple[int, ...]) -> Stages:
  return tuple(
    (Conv(channels),) * n for n, channels in zip(convs_per_stage, _CHANNELS, strict=True)
  )


def _with_1x1(stages: Stages) -> Stages:
  """Adds configuration C's 1x1 convolution to the end of stages 3 to 5."""
  return stages[:2] + tuple((*stage, Conv(stage[-1].channels, kernel=1)) for stage in stages[2:])


@dataclasses.dataclass(frozen=True)
class VggSpec:
  """One column of Table 1.

  Attributes:
    name: the value of `--model`.
    scope: variable scope; slim's, where slim has the network.
    stages: the convolutions between pools.
    lrn: whether local response normalisation follows the first convolution (A-LRN).
    batch_norm: whether batch norm takes the place of every convolution's bias.
  """

  name: str
  scope: str
  stages: Stages
  lrn: bool = False
  batch_norm: bool = False

  @property
  def stride(self) -> int:
    """Pixels of the image per step of the class score map."""
    return 2 ** len(self.stages)

  @property
  def minimum_side(self) -> int:
    """The smallest image side that leaves one pixel after the last pool."""
    return self.stride

  def convolutions(self) -> Iterator[tuple[str, Conv]]:
    """Yields (scope such as 'conv1/conv1_1', row) in the order of the network."""
    for s, stage in enumerate(self.stages, start=1):
      for u, conv in enumerate(stage, start=1):
        yield f'conv{s}/conv{s}_{u}', conv

  def fc_kernel(self, image_size: int) -> int:
    """Side of fc6's kernel, such that `image_size` gives a 1x1 class score map.

    Raises:
      ConfigError: the image is smaller than the pools allow.
    """
    if image_size < self.minimum_side:
      raise ConfigError(
        f'image_size={image_size} is too small for {self.name}: its {len(self.stages)} pools need '
        f'at least {self.minimum_side} pixels.'
      )
    return image_size // self.stride

  def parameter_shapes(
    self, num_classes: int, image_size: int = IMAGE_SIDE, fc_units: int = 4096
  ) -> dict[str, tuple[int, ...]]:
    """Shapes of the trainable variables, by their name below the network's scope."""
    shapes = {}
    n_in = 3
    for scope, conv in self.convolutions():
      shapes[f'{scope}/weights'] = (conv.kernel, conv.kernel, n_in, conv.channels)
      if self.batch_norm:
        shapes[f'{scope}/BatchNorm/gamma'] = (conv.channels,)
        shapes[f'{scope}/BatchNorm/beta'] = (conv.channels,)
      else:
        shapes[f'{scope}/biases'] = (conv.channels,)
      n_in = conv.channels
    kernels = {'fc6': self.fc_kernel(image_size), 'fc7': 1, 'fc8': 1}
    units = {'fc6': fc_units, 'fc7': fc_units, 'fc8': num_classes}
    for name, kernel in kernels.items():
      shapes[f'{name}/weights'] = (kernel, kernel, n_in, units[name])
      shapes[f'{name}/biases'] = (units[name],)
      n_in = units[name]
    return shapes


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
    f'{name}_bn': VggSpec(f'{name}_bn', f'{scope}_bn', stages, batch_norm=True)
    for name, (scope, stages) in _ROWS.items()
  },
}

# The names by which people know A, B, D and E: the number of layers with weights.
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

MODEL_NAMES = tuple(sorted(VGG)) + tuple(sorted(ALIASES))

# Trainable parameters at 1000 classes and 224 px, biases included; the paper's Table 2 rounds them.
PARAMETERS = {
  'vgg_a': 132_863_336,
  'vgg_a_lrn': 132_863_336,
  'vgg_b': 133_047_848,
  'vgg_c': 133_638_952,
  'vgg_d': 138_357_544,
  'vgg_e': 143_667_240,
  'vgg_a_bn': 132_866_088,
  'vgg_b_bn': 133_050_792,
  'vgg_c_bn': 133_643_176,
  'vgg_d_bn': 138_361_768,
  'vgg_e_bn': 143_672_744,
}


def get(model: str) -> VggSpec:
  """Returns the row of `model`, a name of MODEL_NAMES.

  Raises:
    ConfigError: no such network; the message suggests the nearest name.
  """
  name = ALIASES.get(model, model)
  if name not in VGG:
    near = difflib.get_close_matches(model, MODEL_NAMES, n=1)
    hint = f' Did you mean {near[0]!r}?' if near else ''
    raise ConfigError(f'Unknown model {model!r}.{hint} Expected one of {", ".join(MODEL_NAMES)}.')
  return VGG[name]
