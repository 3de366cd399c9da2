"""Figure of a network: its feature maps as slabs, above bars of their cost."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from matplotlib import colors, patches
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from vgg_slim.plotting import palette

KINDS = {
  'images': ('#9d9da3', 'images'),
  'conv': (palette.BLUE, 'convolution'),
  'unit': ('#7a6fb0', 'residual unit'),
  'pool': (palette.ORANGE, 'pool'),
  'fc': ('#59a14f', 'fully-connected'),
}

# In units of the drawing.
_HEIGHT = 1.6  # of a 1x1 map
_WIDTH = 0.5  # of a map with one channel
_GAP = 1.5
_DEPTH = 0.25  # of the oblique faces, as a fraction of the slab's height
_INCHES_PER_UNIT = 0.12
_BARS_INCHES = 1.2
_TEXT_INCHES = 2.0  # title, and names of the layers


class Slab(Protocol):
  """Properties of a layer that are drawn; `kind` is a key of KINDS."""

  @property
  def label(self) -> str: ...

  @property
  def kind(self) -> str: ...

  @property
  def output_shape(self) -> tuple[int, int, int]: ...

  @property
  def parameters(self) -> int: ...

  @property
  def multiply_adds(self) -> int: ...


def draw_network(slabs: Sequence[Slab], title: str) -> Figure:
  """Draws slabs from left to right; their height shows the side, their thickness the channels.

  Height grows with the square root of the side and thickness with the cube root of the channels, so
  that 7x7 maps are visible beside 224x224 maps. The bars below are to scale.

  Args:
    slabs: layers in the order of the network.
    title: title of the figure.

  Returns:
    A new figure that is not shown; `figure.savefig(path)` writes it.
  """
  heights = _HEIGHT * np.sqrt([slab.output_shape[0] for slab in slabs])
  widths = _WIDTH * np.cbrt([slab.output_shape[2] for slab in slabs])
  lefts = np.concatenate([[0], np.cumsum(widths + _GAP + _DEPTH * heights / 2)[:-1]])
  right = lefts[-1] + widths[-1] + _DEPTH * heights[-1]
  top, bottom = heights.max() * (0.5 + _DEPTH) + 1, -heights.max() / 2 - 6
  size = (right + 12) * _INCHES_PER_UNIT, (top - bottom) * _INCHES_PER_UNIT
  figure = Figure(
    figsize=(size[0], size[1] + 2 * _BARS_INCHES + _TEXT_INCHES), dpi=120, layout='constrained'
  )
  maps, parameters, work = figure.subplots(
    3, 1, sharex=True, height_ratios=[size[1], _BARS_INCHES, _BARS_INCHES]
  )
  figure.suptitle(title, fontsize=14, color=palette.TEXT)
  for slab, left, width, height in zip(slabs, lefts, widths, heights, strict=True):
    _draw_slab(maps, slab.kind, left, width, height)
  _label_shapes(maps, slabs, lefts, widths, heights)
  _add_legend(figure, slabs)
  maps.set_xlim(-2, right + 2)
  maps.set_ylim(bottom, top)
  maps.axis('off')
  centers = lefts + widths / 2
  millions = [slab.parameters / 1e6 for slab in slabs]
  billions = [slab.multiply_adds / 1e9 for slab in slabs]
  _draw_bars(parameters, slabs, centers, millions, 'parameters,\nmillions')
  _draw_bars(work, slabs, centers, billions, 'multiply-adds,\nbillions')
  work.set_xticks(
    centers, [slab.label for slab in slabs], rotation=90, fontsize=9, color=palette.TEXT
  )
  return figure


def _draw_slab(axes: Axes, kind: str, left: float, width: float, height: float) -> None:
  """Draws a box that shows its front, top and right side, centered vertically."""
  color, _ = KINDS[kind]
  right, low, high = left + width, -height / 2, height / 2
  back = _DEPTH * height
  faces = {
    0.0: [(left, low), (right, low), (right, high), (left, high)],
    0.35: [(left, high), (right, high), (right + back, high + back), (left + back, high + back)],
    -0.25: [(right, low), (right + back, low + back), (right + back, high + back), (right, high)],
  }
  for light, corners in faces.items():
    axes.add_patch(
      patches.Polygon(corners, facecolor=_shade(color, light), edgecolor='white', linewidth=0.7)
    )
  if kind == 'unit':
    arrow: dict[str, Any] = {
      'arrowstyle': '-|>',
      'mutation_scale': 7,
      'color': '#777777',
      'linewidth': 0.9,
    }
    top = high + back + 0.4
    axes.add_patch(
      patches.FancyArrowPatch(
        (left - 0.3, top), (right + back + 0.3, top), connectionstyle='arc3,rad=-0.5', **arrow
      )
    )


def _shade(color: str, light: float) -> tuple[float, float, float]:
  """Blends a color towards white for positive `light`, towards black for negative `light`."""
  target = np.ones(3) if light > 0 else np.zeros(3)
  return tuple(np.array(colors.to_rgb(color)) * (1 - abs(light)) + target * abs(light))


def _label_shapes(
  axes: Axes,
  slabs: Sequence[Slab],
  lefts: np.ndarray,
  widths: np.ndarray,
  heights: np.ndarray,
) -> None:
  """Labels slabs with their channels where these change, and groups of equal side with the side."""
  style: dict[str, Any] = {'ha': 'center', 'va': 'top', 'color': palette.TEXT}
  floor = -heights.max() / 2 - 3.2
  start = 0
  for i, slab in enumerate(slabs):
    side, _, channels = slab.output_shape
    if i == 0 or slabs[i - 1].output_shape[2] != channels or slabs[i - 1].output_shape[0] != side:
      axes.text(lefts[i] + widths[i] / 2, -heights[i] / 2 - 0.6, f'{channels}', fontsize=9, **style)
    if i + 1 == len(slabs) or slabs[i + 1].output_shape[0] != side:
      ends = lefts[start], lefts[i] + widths[i]
      axes.plot(ends, (floor, floor), color=palette.LINE, linewidth=1)
      axes.text(sum(ends) / 2, floor - 0.5, f'{side}\u00d7{side}', fontsize=9, **style)
      start = i + 1


def _add_legend(figure: Figure, slabs: Sequence[Slab]) -> None:
  present = {slab.kind for slab in slabs}
  handles = [
    patches.Patch(color=color, label=label)
    for kind, (color, label) in KINDS.items()
    if kind in present
  ]
  figure.legend(
    handles=handles,
    loc='outside lower center',
    ncols=len(handles),
    frameon=False,
    fontsize=10,
    labelcolor=palette.TEXT,
  )


def _draw_bars(
  axes: Axes, slabs: Sequence[Slab], centers: np.ndarray, values: Sequence[float], label: str
) -> None:
  axes.bar(centers, values, width=2.6, color=[KINDS[slab.kind][0] for slab in slabs])
  axes.set_ylabel(label, fontsize=9, color=palette.TEXT)
  axes.yaxis.set_major_locator(MaxNLocator(3))
  axes.tick_params(axis='both', length=0, labelsize=9, labelcolor=palette.TEXT)
  axes.grid(axis='y', color='#e4e4e4', linewidth=0.8)
  axes.set_axisbelow(True)
  axes.spines[['top', 'right', 'left']].set_visible(False)
