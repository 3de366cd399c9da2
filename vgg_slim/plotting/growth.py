"""Cost per image against one parameter of a workload."""

from collections.abc import Sequence
from typing import Protocol

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

_INCHES = (7, 4.6)


class Quartiles(Protocol):
  """Median and quartiles, in seconds."""

  median: float
  lower: float
  upper: float


class Point(Protocol):
  """Seconds per image at `value`, above 0; more than `linear` is worse than linear growth."""

  value: float
  image_seconds: Quartiles
  linear: float


class Line(Protocol):
  """A system, at rising values."""

  name: str
  points: Sequence[Point]


def draw_growth(lines: Sequence[Line], label: str) -> Figure:
  """Draws milliseconds against values, both logarithmic, a colour for each line; linear is dashed.

  Args:
    lines: at least one, of equal values.
    label: of the values.

  Returns:
    a figure of its own, on no screen; `figure.savefig(path)` writes it.
  """
  figure = Figure(figsize=_INCHES, layout='constrained')
  axes = figure.subplots()
  for number, line in enumerate(lines):
    colour = f'C{number}'
    values = [point.value for point in line.points]
    linear = [1e3 * point.linear for point in line.points]
    medians, lower, upper = (
      [1e3 * getattr(point.image_seconds, name) for point in line.points]
      for name in ('median', 'lower', 'upper')
    )
    axes.fill_between(values, lower, upper, color=colour, alpha=0.2, linewidth=0)
    axes.plot(values, linear, '--', color=colour, alpha=0.6)
    axes.plot(values, medians, 'o-', color=colour, label=line.name)
  axes.plot([], [], '--', color='grey', label='dashed: linear from the cheapest smaller value')
  axes.set(xscale='log', yscale='log', xlabel=label, ylabel='ms per image')
  # A flat line would fill the height with its noise.
  low, high = axes.get_ylim()
  axes.set_ylim(low / 2, high * 2)
  axes.set_xticks(values, [f'{value:g}' for value in values])
  axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
  axes.yaxis.set_major_formatter('{x:g}')
  for axis in (axes.xaxis, axes.yaxis):
    axis.set_minor_locator(NullLocator())
  axes.grid(alpha=0.3)
  axes.legend(fontsize='small')
  return figure
