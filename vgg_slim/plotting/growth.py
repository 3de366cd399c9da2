"""Figure of the time per image against a parameter of the workload."""

from collections.abc import Sequence
from typing import Protocol

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

_INCHES = (7, 4.6)


class Quartiles(Protocol):
  """Median and quartiles, in seconds."""

  @property
  def median(self) -> float: ...

  @property
  def lower(self) -> float: ...

  @property
  def upper(self) -> float: ...


class Point(Protocol):
  """Seconds per image at a positive value of the parameter; more than `linear` is superlinear."""

  @property
  def value(self) -> float: ...

  @property
  def image_seconds(self) -> Quartiles: ...

  @property
  def linear(self) -> float: ...


class Line(Protocol):
  """A system, at ascending values of the parameter."""

  @property
  def name(self) -> str: ...

  @property
  def points(self) -> Sequence[Point]: ...


def draw_growth(lines: Sequence[Line], label: str) -> Figure:
  """Draws milliseconds against values on logarithmic axes, one color per line.

  Linear cost is dashed.

  Args:
    lines: one or more lines, all at the same values.
    label: label of the axis of values.

  Returns:
    A new figure that is not shown; `figure.savefig(path)` writes it.
  """
  figure = Figure(figsize=_INCHES, layout='constrained')
  axes = figure.subplots()
  for number, line in enumerate(lines):
    color = f'C{number}'
    values = [point.value for point in line.points]
    linear = [1e3 * point.linear for point in line.points]
    medians, lower, upper = (
      [1e3 * getattr(point.image_seconds, name) for point in line.points]
      for name in ('median', 'lower', 'upper')
    )
    axes.fill_between(values, lower, upper, color=color, alpha=0.2, linewidth=0)
    axes.plot(values, linear, '--', color=color, alpha=0.6)
    axes.plot(values, medians, 'o-', color=color, label=line.name)
  axes.plot([], [], '--', color='gray', label='dashed: linear from the cheapest smaller value')
  axes.set(xscale='log', yscale='log', xlabel=label, ylabel='ms per image')
  # Without this margin, the noise of a flat line would fill the axes.
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
