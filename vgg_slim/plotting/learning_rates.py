"""Figure of a search for a learning rate: the range test, and the losses of the trials."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

_INCHES = (10, 4.2)
_HEADROOM = 1.5  # of the highest loss that is shown, relative to the first or that of guessing


class Losses(NamedTuple):
  """The losses of some steps.

  Attributes:
    raw: loss of each step.
    smoothed: the same, smoothed; NaN where it is not finite.
  """

  raw: Sequence[float]
  smoothed: Sequence[float]


def draw_search(
  rates: Sequence[float],
  range_test: Losses,
  trials: Mapping[str, Losses],
  marks: Mapping[str, float],
  guessing: float,
) -> Figure:
  """Draws loss against rate on the left, and the loss of each trial against its steps on the right.

  Args:
    rates: rates of the steps of the range test.
    range_test: its losses.
    trials: losses of trials by what the legend says about them.
    marks: rates to mark on the left, by what the legend says about them.
    guessing: lowest loss of one answer for all images.

  Returns:
    A new figure that is not shown; `figure.savefig(path)` writes it.
  """
  figure = Figure(figsize=_INCHES, layout='constrained')
  left, right = figure.subplots(1, 2)
  _draw(left, rates, range_test, 'C0', 'range test')
  for number, (label, rate) in enumerate(marks.items(), start=1):
    left.axvline(rate, color=f'C{number}', linestyle='--', label=label)
  left.set(xscale='log', xlabel='learning rate', ylabel='loss')
  for number, (label, losses) in enumerate(trials.items()):
    _draw(right, range(1, len(losses.raw) + 1), losses, f'C{number}', label)
  right.set(xlabel='step at a constant rate', ylabel='loss')
  for axes, shown in ((left, [range_test]), (right, list(trials.values()))):
    axes.axhline(guessing, color='gray', linestyle=':', label='guessing')
    axes.set_ylim(*_limits(shown, guessing))
    axes.grid(alpha=0.3)
    axes.legend(fontsize='small')
  return figure


def _draw(axes: Axes, positions: Sequence[float], losses: Losses, color: str, label: str) -> None:
  axes.plot(positions, losses.raw, color=color, alpha=0.25, linewidth=1)
  axes.plot(positions, losses.smoothed, color=color, label=label)


def _limits(shown: Sequence[Losses], guessing: float) -> tuple[float, float]:
  """Lowest and highest loss of the axis; exploding losses are cut off."""
  values = np.array([guessing, *(loss for losses in shown for loss in losses.raw)])
  first = max([guessing, *(loss for losses in shown for loss in losses.raw[:1])])
  values = values[values <= _HEADROOM * first]
  low, high = values.min(), values.max()
  margin = 0.05 * (high - low) or 0.05 * high
  return float(low - margin), float(high + margin)
