"""Where the cells of a map lie on the picture. No TensorFlow."""

import difflib
from collections.abc import Iterable
from typing import NamedTuple

from vgg_slim.errors import ConfigError
from vgg_slim.nets.net_spec import IMAGES, Layer, NetSpec

_MAPS = ('conv', 'max_pool', 'lrn', 'add')


class Grid(NamedTuple):
  """Centres of a map's cells, in pixels of the image; the first pixel's own centre is 0.

  Attributes:
    first: of cell 0; the same for rows and columns.
    step: from one cell to the next.
  """

  first: float
  step: int


def grids(layers: Iterable[Layer]) -> dict[str, Grid]:
  """The grid of every layer's output by name; where branches meet, that of the first.

  A window of k cells starts `padding` cells before the first one and is centred (k - 1) / 2 behind
  its start. 'SAME' at stride s pads k - s in all where the stride divides the side, the smaller
  half in front.
  """
  found = {IMAGES: Grid(0.0, 1)}
  for layer in layers:
    first, step = found[layer.inputs[0]]
    front = (layer.kernel - layer.stride) // 2 if layer.padding == 'SAME' else layer.padding
    shift = (layer.kernel - 1) / 2 - front
    found[layer.name] = Grid(first + shift * step, step * layer.stride)
  return found


def score_map_grid(spec: NetSpec, image_size: int, fc_units: int, head: str | None) -> Grid:
  """The grid of the class score map; arguments as `NetSpec.layers`."""
  trunk = spec.trunk_layers()
  if spec.averages(head) and spec.head_window(image_size, head) == 1:
    return grids(trunk)[trunk[-1].name]
  layers = spec.layers(2, image_size, fc_units, head)
  return grids(layers)[layers[-1].name]


def last_features(spec: NetSpec) -> str:
  """The last map before the trunk's final pool, where Grad-CAM looks by default."""
  return next(layer.name for layer in reversed(spec.trunk_layers()) if layer.kind != 'max_pool')


def find_layer(spec: NetSpec, layer: str) -> tuple[str, Grid]:
  """Finds a map of the trunk by its scope, the last part of it, or a ResNet's 'block1' to 'block4'.

  Returns:
    its name among the end points, and its grid.

  Raises:
    ConfigError: no layer, or more than one, has this name; suggests the nearest.
  """
  layers = spec.trunk_layers()
  by_name = grids(layers)
  names = [row.name for row in layers if row.kind in _MAPS]
  inside = [name for name in names if name.startswith(f'{layer}/')]
  if layer.startswith('block') and '/' not in layer and inside:
    return layer, by_name[inside[-1]]
  found = [name for name in names if name == layer] or [
    name for name in names if name.endswith(f'/{layer}')
  ]
  if len(found) != 1:
    near = difflib.get_close_matches(layer, names, n=1, cutoff=0.4)
    hint = f' Did you mean {near[0]!r}?' if near else ''
    raise ConfigError(
      f'{spec.name} has {"several layers" if found else "no layer"} {layer!r} below its head.{hint}'
      f' tools/describe --model={spec.name} lists them.'
    )
  return found[0], by_name[found[0]]
