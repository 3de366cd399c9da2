"""Figure of a grid of images with their labels."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from vgg_slim.plotting.text import families, plain_lines

_CELL_INCHES = 1.6
_LINE_INCHES = 0.15  # of a label
_LABEL_WIDTH = 19  # columns that usual letters of the small font fill above a cell


def draw_samples(
  images: Sequence[np.ndarray] | np.ndarray, labels: Sequence[str], title: str = ''
) -> Figure:
  """Draws images row by row in a nearly square grid.

  Args:
    images: N images, uint8 [H, W, 3], RGB, at least one; sizes may differ.
    labels: N labels of one or more lines, each drawn above its image.
    title: title of the figure.

  Returns:
    A new figure that is not shown; `figure.savefig(path)` writes it.
  """
  columns = math.ceil(math.sqrt(len(images)))
  rows = math.ceil(len(images) / columns)
  label_inches = _LINE_INCHES * max(2, *(label.count('\n') + 1 for label in labels))
  size = columns * _CELL_INCHES, rows * (_CELL_INCHES + label_inches) + 2 * _LINE_INCHES
  figure = Figure(figsize=size, layout='constrained')
  figure.suptitle(plain_lines(title), fontfamily=families(title))
  grid = figure.subplots(rows, columns, squeeze=False).ravel()
  for axes in grid:
    axes.set_axis_off()
  for axes, image, label in zip(grid[: len(images)], images, labels, strict=True):
    axes.imshow(image)
    axes.set_title(plain_lines(label, _LABEL_WIDTH), fontsize='small', fontfamily=families(label))
  return figure
