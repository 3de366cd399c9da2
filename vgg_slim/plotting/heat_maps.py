"""Heat maps over the picture that they explain."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from vgg_slim.plotting import text

_PANEL_INCHES = 4.0
_COLOURS = 'inferno'
_OPACITY = 0.6
_SCALE_PLACE = (1.03, 0, 0.04, 1)  # of the colour scale, in widths and heights of the panel
_GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601 luma of R, G, B


class HeatMap(NamedTuple):
  """One panel.

  Attributes:
    title: above it.
    values: float [h, w], one for each cell of a map.
    first: pixel at the centre of cell 0, of rows as of columns.
    step: pixels from one cell to the next.
    unit: what the colours mean.
    limits: values of the darkest and the brightest colour; by default 0 and the largest value.
  """

  title: str
  values: np.ndarray
  first: float
  step: float
  unit: str
  limits: tuple[float, float] | None = None


def upsample(values: np.ndarray, first: float, step: float, height: int, width: int) -> np.ndarray:
  """Bilinear values for every pixel; pixels beyond the outermost centres take the nearest.

  Args:
    values: float [h, w].
    first: pixel at the centre of cell 0, of rows as of columns.
    step: pixels from one cell to the next.
    height: of the picture, in pixels, as is `width`.
    width: see `height`.

  Returns:
    float64 [height, width].
  """
  rows, columns = (first + step * np.arange(cells) for cells in values.shape)
  y, x = np.arange(height), np.arange(width)
  wide = np.stack([np.interp(x, columns, row) for row in values])
  return np.stack([np.interp(y, rows, column) for column in wide.T], axis=1)


def draw_heat_maps(pixels: np.ndarray, maps: Sequence[HeatMap], title: str) -> Figure:
  """Draws the picture, and beside it each map over the picture in grey, with its colour scale.

  Args:
    pixels: uint8 [H, W, 3], RGB.
    maps: at least one.
    title: above all.

  Returns:
    a figure of its own, on no screen.
  """
  height, width = pixels.shape[:2]
  size = (len(maps) + 1) * _PANEL_INCHES, _PANEL_INCHES * height / width + 0.8
  figure = Figure(figsize=size, dpi=100, layout='constrained')
  axes = figure.subplots(1, len(maps) + 1)
  figure.suptitle(text.title(title), fontfamily=text.families(title))
  axes[0].imshow(pixels)
  axes[0].set_title('picture', fontsize=10)
  for panel, heat_map in zip(axes[1:], maps, strict=True):
    values = upsample(heat_map.values, heat_map.first, heat_map.step, height, width)
    low, high = heat_map.limits or (0, max(values.max(), np.finfo(np.float32).tiny))
    panel.imshow(pixels @ np.array(_GREY), cmap='gray', vmin=0, vmax=255)
    colours = panel.imshow(values, cmap=_COLOURS, alpha=_OPACITY, vmin=low, vmax=high)
    panel.set_title(
      text.plain(heat_map.title), fontsize=10, fontfamily=text.families(heat_map.title)
    )
    figure.colorbar(colours, cax=panel.inset_axes(_SCALE_PLACE), label=heat_map.unit)
  for panel in axes:
    panel.axis('off')
  return figure
