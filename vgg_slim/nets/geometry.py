"""Positions of feature map cells in the image. No TensorFlow."""

import difflib
from collections.abc import Iterable
from typing import NamedTuple

from vgg_slim.errors import ConfigError
from vgg_slim.nets.net_spec import IMAGES, Layer, NetSpec

_MAPS = ('conv', 'max_pool', 'lrn', 'add')


class Grid(NamedTuple):
  """Centers of the cells of a feature map, in pixels; the center of the first pixel is 0.

  Attributes:
    first: center of cell 0, the same for rows and columns.
    step: distance from one cell to the next.
  """

  first: float
  step: int


def grids(layers: Iterable[Layer]) -> dict[str, Grid]:
  """Returns the grid of every layer's output by name; where branches meet, that of the first one.

  A window of k cells starts `padding` cells before the first one and has its center (k - 1) / 2
  cells after its start. If the stride s divides the side, 'SAME' pads k - s cells in total, the
  smaller half in front.
  """
  by_name = {IMAGES: Grid(0.0, 1)}
  for layer in layers:
    first, step = by_name[layer.inputs[0]]
    front = (layer.kernel - layer.stride) // 2 if layer.padding == 'SAME' else layer.padding
    shift = (layer.kernel - 1) / 2 - front
    by_name[layer.name] = Grid(first + shift * step, step * layer.stride)
  return by_name


def score_map_grid(spec: NetSpec, image_size: int, fc_units: int, head: str | None) -> Grid:
  """Returns the grid of the class score map; the arguments are those of `NetSpec.layers`."""
  trunk = spec.trunk_layers()
  if spec.averages(head) and spec.head_window(image_size, head) == 1:
    return grids(trunk)[trunk[-1].name]
  layers = spec.layers(2, image_size, fc_units, head)
  return grids(layers)[layers[-1].name]


def last_features(spec: NetSpec) -> str:
  """Returns the last feature map before the trunk's final pool, the default of Grad-CAM."""
  return next(layer.name for layer in reversed(spec.trunk_layers()) if layer.kind != 'max_pool')


def find_layer(spec: NetSpec, layer: str) -> tuple[str, Grid]:
  """Finds a feature map of the trunk by name.

  Args:
    spec: the network.
    layer: scope of the layer, the last part of it, or 'block1' to 'block4' of a ResNet.

  Returns:
    The name of the feature map in the end points, and its grid.

  Raises:
    ConfigError: no layer or several layers have this name; the message suggests a similar one.
  """
  layers = spec.trunk_layers()
  by_name = grids(layers)
  names = [row.name for row in layers if row.kind in _MAPS]
  inside = [name for name in names if name.startswith(f'{layer}/')]
  if layer.startswith('block') and '/' not in layer and inside:
    return layer, by_name[inside[-1]]
  matches = [name for name in names if name == layer] or [
    name for name in names if name.endswith(f'/{layer}')
  ]
  if len(matches) != 1:
    near = difflib.get_close_matches(layer, names, n=1, cutoff=0.4)
    hint = f' Did you mean {near[0]!r}?' if near else ''
    raise ConfigError(
      f'{spec.name} has {"several layers" if matches else "no layer"} {layer!r} below its head.'
      f'{hint} tools/describe --model={spec.name} lists them.'
    )
  return matches[0], by_name[matches[0]]
