"""Reliability diagram: accuracy above confidence, and how many pictures stand behind it."""

import numpy as np
from matplotlib.figure import Figure

_BAR = '#4c78a8'
_LINE = '#e07b54'


def draw_reliability(
  edges: np.ndarray, accuracy: np.ndarray, confidence: np.ndarray, counts: np.ndarray
) -> Figure:
  """Draws one bar a bin; a perfectly calibrated network's bars end on the diagonal.

  Args:
    edges: float [B + 1], bounds of the bins, 0..1.
    accuracy: float [B], NaN where a bin is empty.
    confidence: float [B], mean probability in the bin, NaN where it is empty.
    counts: int [B], pictures in the bin.

  Returns:
    a figure of its own, on no screen.
  """
  figure = Figure(figsize=(6, 6), dpi=100, layout='constrained')
  upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
  style = {'width': np.diff(edges), 'align': 'edge', 'edgecolor': 'white', 'color': _BAR}
  upper.bar(edges[:-1], np.nan_to_num(accuracy), **style)
  upper.plot([0, 1], [0, 1], color='#999999', linestyle='--', linewidth=1, label='calibrated')
  upper.plot(confidence, accuracy, 'o', color=_LINE, markersize=4, label='mean of the bin')
  upper.set_ylabel('accuracy')
  upper.set_ylim(0, 1.02)
  figure.legend(frameon=False, loc='outside upper center', ncols=2)
  lower.bar(edges[:-1], counts, **style)
  lower.set_ylabel('pictures')
  lower.set_xlabel('probability of the most probable class')
  lower.set_xlim(0, 1)
  for axes in (upper, lower):
    axes.spines[['top', 'right']].set_visible(False)
  return figure
