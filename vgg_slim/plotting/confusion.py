"""Figure of a confusion matrix."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from vgg_slim.plotting import palette
from vgg_slim.plotting.text import columns_of, families, plain

# Classes that a figure of 600 pixels can show; one of 10,000 would take 6 GB of memory.
MAX_CLASSES = 1000
_MAX_LABELED = 20  # classes; with more, counts would be unreadable in their cells
_COLUMN_INCHES = 0.085  # width of a Latin letter in a label
_LABEL_INCHES = 0.8  # for labels, in a figure that is not enlarged


def draw_confusion(counts: np.ndarray, class_names: Sequence[str]) -> Figure:
  """Draws the fraction of each row, and the counts if there is room.

  Args:
    counts: number of images by label (row) and predicted class (column), int [K, K]. An additional
      column counts all other classes.
    class_names: K class names, at most MAX_CLASSES.

  Returns:
    A new figure that is not shown.
  """
  num_classes = len(class_names)
  has_numbers = num_classes <= _MAX_LABELED
  names, family = list(map(plain, class_names)), families(*class_names)
  longest = _COLUMN_INCHES * max(map(columns_of, names))
  side = 2.5 + 0.45 * num_classes + max(0.0, longest - _LABEL_INCHES) if has_numbers else 9
  figure = Figure(figsize=(side + 0.8, side), dpi=100, layout='constrained')
  axes = figure.subplots()
  fractions = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
  image = axes.imshow(fractions, cmap='Blues', vmin=0, vmax=1)
  figure.colorbar(image, shrink=0.7, label='fraction of the label')
  axes.set_xlabel('predicted', color=palette.TEXT)
  axes.set_ylabel('label', color=palette.TEXT)
  if not has_numbers:
    return figure
  columns = [*names, 'other classes'][: counts.shape[1]]
  axes.set_xticks(range(len(columns)), columns, rotation=45, ha='right', fontfamily=family)
  axes.set_yticks(range(num_classes), names, fontfamily=family)
  for row, column in np.argwhere(counts):
    color = 'white' if fractions[row, column] > 0.5 else palette.TEXT
    style: dict[str, Any] = {'ha': 'center', 'va': 'center', 'fontsize': 8, 'color': color}
    axes.text(column, row, f'{counts[row, column]}', **style)
  return figure
