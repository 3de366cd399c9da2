"""Reliability diagram: accuracy against confidence, and the number of images in each bin."""

import numpy as np
from matplotlib.figure import Figure

from vgg_slim.plotting import palette


def draw_reliability(
  edges: np.ndarray, accuracy: np.ndarray, confidence: np.ndarray, counts: np.ndarray
) -> Figure:
  """Draws one bar per bin; the bars of a perfectly calibrated network end on the diagonal.

  Args:
    edges: edges of the bins, float [B + 1], 0..1.
    accuracy: fraction of correct predictions in each bin, float [B]; NaN for an empty bin.
    confidence: mean probability in each bin, float [B]; NaN for an empty bin.
    counts: number of images in each bin, int [B].

  Returns:
    A new figure that is not shown.
  """
  figure = Figure(figsize=(6, 6), dpi=100, layout='constrained')
  upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
  style = {'width': np.diff(edges), 'align': 'edge', 'edgecolor': 'white', 'color': palette.BLUE}
  upper.bar(edges[:-1], np.nan_to_num(accuracy), **style)
  upper.plot([0, 1], [0, 1], color=palette.LINE, linestyle='--', linewidth=1, label='calibrated')
  upper.plot(confidence, accuracy, 'o', color=palette.ORANGE, markersize=4, label='mean of the bin')
  upper.set_ylabel('accuracy')
  upper.set_ylim(0, 1.02)
  figure.legend(frameon=False, loc='outside upper center', ncols=2)
  lower.bar(edges[:-1], counts, **style)
  lower.set_ylabel('images')
  lower.set_xlabel('probability of the most probable class')
  lower.set_xlim(0, 1)
  for axes in (upper, lower):
    axes.spines[['top', 'right']].set_visible(False)
  return figure
