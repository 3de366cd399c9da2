"""The layer table of a network, its totals, and its drawing. No TensorFlow.

Everything here is derived from the flat layer list of `net_spec`; the tests compare it with graphs.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from vgg_slim.constants import FC_UNITS
from vgg_slim.nets.net_spec import (
  IMAGES,
  Layer,
  NetSpec,
  output_sides,
  with_input_channels,
)


class Row(NamedTuple):
  """A layer at one image size.

  Attributes:
    name: scope below the network's.
    kind: kind of the layer, see `Layer.kind`.
    description: text such as 'conv 3x3/2, bn, relu'.
    output_shape: height, width and number of channels.
    parameters: number of trainable parameters.
    moving: number of values in batch norm's moving averages, which are not trainable.
    multiply_adds: number of multiply-adds per image in convolutions and fully-connected layers,
      without biases.
    receptive_field: side, in pixels of the image, of the window that one output depends on.
    stride: distance between two outputs, in pixels of the image.
    kept: number of values per image that the backward pass needs from this layer.
  """

  name: str
  kind: str
  description: str
  output_shape: tuple[int, int, int]
  parameters: int
  moving: int
  multiply_adds: int
  receptive_field: int
  stride: int
  kept: int


class Totals(NamedTuple):
  """Sums over the rows; multiply-adds are those for one image."""

  parameters: int
  trainable: int
  not_trainable: int
  multiply_adds: int


class Precision(NamedTuple):
  """Bytes per stored activation, and per weight of an extra copy in low precision."""

  activation: int
  weight_copy: int


# Weights, gradients and momentum stay float32 in mixed precision (Micikevicius et al.,
# arXiv:1710.03740, section 3.1).
PRECISIONS = {
  'float32': Precision(activation=4, weight_copy=0),
  'float16': Precision(activation=2, weight_copy=2),
  'bfloat16': Precision(activation=2, weight_copy=2),
}


def summarize(
  spec: NetSpec,
  num_classes: int | None = 1000,
  image_size: int | None = None,
  fc_units: int = FC_UNITS,
  head: str | None = None,
) -> list[Row]:
  """Returns a row for every layer of `spec`, for square images; see `NetSpec.layers`.

  Raises:
    ConfigError: the image is too small for the layers.
  """
  side = image_size or spec.image_size
  spec.map_side(side)
  layers = spec.layers(num_classes, side, fc_units, head)
  sides = output_sides(layers, side)
  fields = receptive_fields(layers)
  rows = []
  for layer, n_in in with_input_channels(layers):
    out = sides[layer.name]
    weights = layer.kernel**2 * n_in * layer.channels if layer.has_weights else 0
    vectors = layer.biases + 2 * layer.batch_norm
    rows.append(
      Row(
        layer.name,
        layer.kind,
        describe(layer),
        (out, out, layer.channels),
        parameters=weights + vectors * layer.channels,
        moving=2 * layer.batch_norm * layer.channels,
        multiply_adds=out * out * weights,
        receptive_field=fields[layer.name][0],
        stride=fields[layer.name][1],
        kept=out * out * layer.channels * _copies_kept(layer),
      )
    )
  return rows


def receptive_fields(layers: Sequence[Layer]) -> dict[str, tuple[int, int]]:
  """Returns (receptive field, stride) of every layer's output by name, in pixels of the image.

  A k x k window over cells that are s pixels apart widens the field by (k - 1) * s. Where branches
  meet, the widest one counts. Fields at the border extend beyond the image into the padding.
  """
  fields = {IMAGES: (1, 1)}
  for layer in layers:
    field, stride = max(fields[name] for name in layer.inputs)
    fields[layer.name] = (field + (layer.kernel - 1) * stride, stride * layer.stride)
  return fields


def _copies_kept(layer: Layer) -> int:
  """Number of maps to keep: the backward pass needs batch norm's input and the ReLU's output."""
  if layer.batch_norm:
    return 1 + layer.relu
  return 1


def describe(layer: Layer) -> str:
  """Returns a description of a layer, such as 'conv 7x7/2, bn, relu'."""
  words = layer.kind.replace('_', ' ')
  if layer.kernel > 1 or layer.kind == 'conv':
    words += f' {layer.kernel}x{layer.kernel}'
  if layer.stride > 1:
    words += f'/{layer.stride}'
  return ', '.join([words] + ['bn'] * layer.batch_norm + ['relu'] * layer.relu)


def total(rows: Sequence[Row]) -> Totals:
  """Sums parameters and multiply-adds."""
  trainable = sum(row.parameters for row in rows)
  not_trainable = sum(row.moving for row in rows)
  multiply_adds = sum(row.multiply_adds for row in rows)
  return Totals(trainable + not_trainable, trainable, not_trainable, multiply_adds)


class Slab(NamedTuple):
  """An element of the drawing: a layer, or a whole residual unit.

  Attributes:
    label: the last part of the scope, which distinguishes the slab from others.
    kind: 'images', 'conv', 'unit', 'pool' or 'fc'.
    output_shape: height, width and number of channels.
    parameters: number of trainable parameters.
    multiply_adds: number of multiply-adds per image.
  """

  label: str
  kind: str
  output_shape: tuple[int, int, int]
  parameters: int
  multiply_adds: int


_SLAB_KINDS = {'conv': 'conv', 'fc': 'fc', 'max_pool': 'pool', 'average_pool': 'pool'}


def slabs(rows: Sequence[Row], image_size: int) -> list[Slab]:
  """Returns slabs for the images, layers and residual units, but not for dropout and LRN."""
  units = {row.name for row in rows if row.kind == 'add'}
  gathered: dict[str, list[Row]] = {}
  for row in rows:
    unit = row.name if row.name in units else row.name.rpartition('/')[0]
    if unit in units or row.kind in _SLAB_KINDS:
      gathered.setdefault(unit if unit in units else row.name, []).append(row)
  return [Slab(IMAGES, IMAGES, (image_size, image_size, 3), 0, 0)] + [
    Slab(
      name.rpartition('/')[0] if name in units else name.rpartition('/')[2],
      'unit' if name in units else _SLAB_KINDS[parts[-1].kind],
      parts[-1].output_shape,
      sum(row.parameters for row in parts),
      sum(row.multiply_adds for row in parts),
    )
    for name, parts in gathered.items()
  ]


def format_bytes(number: float) -> str:
  """Returns a size with its unit: 1536 -> '1.5 KiB'."""
  power = min(int(math.log(max(number, 1), 1024)), 4)
  unit = ('B', 'KiB', 'MiB', 'GiB', 'TiB')[power]
  return f'{number / 1024**power:.{1 if power else 0}f} {unit}'
