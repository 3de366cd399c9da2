"""Figure of heat maps over the image that they explain."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from vgg_slim.plotting import text

_PANEL_INCHES = 4.0
_COLORMAP = 'inferno'
_OPACITY = 0.6
_COLORBAR_BOUNDS = (1.03, 0, 0.04, 1)  # x, y, width, height in fractions of the panel
_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601 weights of R, G, B


class HeatMap(NamedTuple):
  """One panel of the figure.

  Attributes:
    title: title of the panel.
    values: value of each cell of the map, float [h, w].
    first: pixel position of the center of cell 0, along both axes.
    step: distance of adjacent cells, in pixels.
    unit: label of the color bar.
    limits: values of the darkest and the brightest color; by default 0 and the largest value.
  """

  title: str
  values: np.ndarray
  first: float
  step: float
  unit: str
  limits: tuple[float, float] | None = None


def upsample(values: np.ndarray, first: float, step: float, height: int, width: int) -> np.ndarray:
  """Interpolates a map bilinearly; pixels beyond the outermost centers take the nearest value.

  Args:
    values: value of each cell, float [h, w].
    first: pixel position of the center of cell 0, along both axes.
    step: distance of adjacent cells, in pixels.
    height: height of the image, in pixels.
    width: width of the image, in pixels.

  Returns:
    float64 [height, width].
  """
  rows, columns = (first + step * np.arange(cells) for cells in values.shape)
  y, x = np.arange(height), np.arange(width)
  by_row = np.stack([np.interp(x, columns, row) for row in values])
  return np.stack([np.interp(y, rows, column) for column in by_row.T], axis=1)


def draw_heat_maps(pixels: np.ndarray, maps: Sequence[HeatMap], title: str) -> Figure:
  """Draws the image, and beside it each map over the image in gray, with a color bar.

  Args:
    pixels: image, uint8 [H, W, 3], RGB.
    maps: heat maps, at least one.
    title: title of the figure.

  Returns:
    A new figure that is not shown.
  """
  height, width = pixels.shape[:2]
  size = (len(maps) + 1) * _PANEL_INCHES, _PANEL_INCHES * height / width + 0.8
  figure = Figure(figsize=size, dpi=100, layout='constrained')
  axes = figure.subplots(1, len(maps) + 1)
  figure.suptitle(text.title(title), fontfamily=text.families(title))
  axes[0].imshow(pixels)
  axes[0].set_title('image', fontsize=10)
  for panel, heat_map in zip(axes[1:], maps, strict=True):
    values = upsample(heat_map.values, heat_map.first, heat_map.step, height, width)
    low, high = heat_map.limits or (0, max(values.max(), np.finfo(np.float32).tiny))
    panel.imshow(pixels @ np.array(_LUMA), cmap='gray', vmin=0, vmax=255)
    overlay = panel.imshow(values, cmap=_COLORMAP, alpha=_OPACITY, vmin=low, vmax=high)
    panel.set_title(
      text.plain(heat_map.title), fontsize=10, fontfamily=text.families(heat_map.title)
    )
    figure.colorbar(overlay, cax=panel.inset_axes(_COLORBAR_BOUNDS), label=heat_map.unit)
  for panel in axes:
    panel.axis('off')
  return figure
