"""How the cost per image grows with one parameter of the workload. No TensorFlow."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from vgg_slim.benchmarks import timing
from vgg_slim.benchmarks.turns import Outcome
from vgg_slim.benchmarks.workload import KINDS, Workload
from vgg_slim.errors import ConfigError
from vgg_slim.nets.summary import format_bytes

TOLERANCE = 0.15  # noise: turns of the same system on a shared machine differ by 10 %


class Axis(NamedTuple):
  """The parameter that is varied.

  Attributes:
    field: name of the field of `Workload`.
    label: axis label, also used in tables and messages.
    values: default values.
    kinds: kinds of workloads that can be measured along the axis; the first is the default.
    unit: 'image' or 'pixel': whichever costs the same at every value when the cost is linear.
  """

  field: str
  label: str
  values: tuple[int, ...]
  kinds: tuple[str, ...] = KINDS
  unit: str = 'image'


AXES = {
  'batch_size': Axis('batch_size', 'images per batch', (1, 4, 16, 64)),
  'image_size': Axis('image_size', 'pixels per side', (32, 64, 128, 256, 512), unit='pixel'),
  'records': Axis('batch_size', 'records', (1000, 10_000, 100_000), ('convert',)),
  'workers': Axis('threads', 'workers', (1, 2), ('convert',)),
}


class Point(NamedTuple):
  """The cost at one value.

  Attributes:
    value: value of the axis.
    image_seconds: statistics of the seconds per image.
    unit_seconds: median seconds per unit of the axis.
    linear: seconds per image at the lowest cost per unit of all values up to this one.
    cheapest: the smaller value with the lowest cost per unit; None at the first value.
    growth: cost per unit divided by that at `cheapest`, turn by turn; None at the first value.
    peak_bytes: peak memory of the system's process, in bytes; None where it is unknown.
  """

  value: int
  image_seconds: timing.Statistics
  unit_seconds: float
  linear: float
  cheapest: int | None
  growth: timing.Ratio | None
  peak_bytes: int | None

  @property
  def relative_cost(self) -> float:
    """Cost per unit divided by that at `cheapest`; 1 at the first value."""
    return self.growth.value if self.growth else 1.0


class Growth(NamedTuple):
  """The costs of one system along an axis, at two or more increasing values."""

  system: str
  workload: Workload
  axis: Axis
  points: tuple[Point, ...]

  @property
  def name(self) -> str:
    """The system and what it runs."""
    load = self.workload
    network = '' if load.what == 'convert' else f' of {load.model}, {load.precision}'
    return f'{self.system} {load.what}{network}'

  @property
  def worst(self) -> Point:
    """The point with the largest growth of the cost per unit."""
    return max(self.points[1:], key=lambda point: point.relative_cost)

  @property
  def is_linear(self) -> bool:
    """Whether the total cost grows no worse than linearly, within TOLERANCE."""
    return self.worst.relative_cost <= 1 + TOLERANCE

  def __str__(self) -> str:
    worst = self.worst
    return (
      f'{self.name}: {"no worse" if self.is_linear else "worse"} than linear. The cost per '
      f'{self.axis.unit} is at most {worst.growth} the cost at fewer {self.axis.label}: at '
      f'{worst.value}, compared with {worst.cheapest}; up to {1 + TOLERANCE}x counts as noise.'
    )


def vary(axis: Axis, workload: Workload, values: Sequence[int]) -> list[Workload]:
  """Returns the workload at each of the values, in increasing order.

  Raises:
    ConfigError: there are fewer than two distinct values, the workload does not allow one of them,
      or workloads of this kind cannot be measured along the axis.
  """
  if workload.what not in axis.kinds:
    raise ConfigError(
      f'what={workload.what}: growth with {axis.label} can be measured for '
      f'{", ".join(axis.kinds)} only.'
    )
  distinct = sorted(set(values))
  if len(distinct) < 2:
    raise ConfigError(
      f'values={",".join(map(str, values))}: growth needs two or more different values.'
    )
  changes: list[dict[str, Any]] = [{axis.field: value} for value in distinct]
  return [dataclasses.replace(workload, **change) for change in changes]


def find_growth(axis: Axis, outcomes: Sequence[Outcome]) -> list[Growth]:
  """Returns the growth of each system that was measured at two or more values.

  Args:
    axis: the only parameter in which the workloads differ.
    outcomes: outcomes measured in turns with each other, in the order of `vary`.
  """
  by_system: dict[str, list[Outcome]] = {}
  for outcome in outcomes:
    if outcome.turns:
      by_system.setdefault(outcome.system, []).append(outcome)
  return [
    Growth(system, measured[0].workload, axis, tuple(_points(axis, measured)))
    for system, measured in by_system.items()
    if len(measured) > 1
  ]


def _points(axis: Axis, outcomes: Sequence[Outcome]) -> Iterator[Point]:
  least, cheapest, least_turns = np.inf, None, None
  for outcome in outcomes:
    load = outcome.workload
    value = getattr(load, axis.field)
    units = load.image_size**2 if axis.unit == 'pixel' else 1
    turns = [[seconds / load.batch_size / units for seconds in turn] for turn in outcome.turns]
    median = float(np.median(np.concatenate(turns)))
    yield Point(
      value,
      timing.describe([seconds / load.batch_size for seconds in outcome.seconds]),
      median,
      min(least, median) * units,
      cheapest,
      timing.ratio_of_turns(least_turns, turns) if least_turns else None,
      outcome.peak_bytes,
    )
    if median < least:
      least, cheapest, least_turns = median, value, turns


def headings(axis: Axis) -> tuple[str, ...]:
  """Headings of the columns of `cells`."""
  pixel = ('per pixel',) if axis.unit == 'pixel' else ()
  return (axis.label, 'per image', 'quartiles', *pixel, 'growth', 'peak memory')


def cells(axis: Axis, point: Point) -> list[str]:
  """A point as a table row, under the headings of its axis."""
  cost = point.image_seconds
  return [
    f'{point.value}',
    f'{1e3 * cost.median:.4g} ms',
    f'{1e3 * cost.lower:.4g} - {1e3 * cost.upper:.4g}',
    *([f'{1e9 * point.unit_seconds:.4g} ns'] if axis.unit == 'pixel' else []),
    f'{point.growth} of {point.cheapest}' if point.growth else '',
    format_bytes(point.peak_bytes) if point.peak_bytes else '',
  ]
