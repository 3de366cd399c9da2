"""How the cost of a picture grows with one number of the workload. No TensorFlow."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from vgg_slim.benchmarks import timing
from vgg_slim.benchmarks.turns import Outcome
from vgg_slim.benchmarks.workload import KINDS, Workload
from vgg_slim.errors import ConfigError
from vgg_slim.nets.summary import format_bytes

TOLERANCE = 0.15  # for noise: turns of one system on a shared machine differ by a tenth


class Axis(NamedTuple):
  """What is varied.

  Attributes:
    field: of the workload.
    label: its values, for people.
    values: where nobody says others.
    kinds: of workloads that are measured along it, first the usual one.
    unit: what costs the same at every value where the whole cost is linear, 'picture' or 'pixel'.
  """

  field: str
  label: str
  values: tuple[int, ...]
  kinds: tuple[str, ...] = KINDS
  unit: str = 'picture'


AXES = {
  'batch_size': Axis('batch_size', 'pictures in a batch', (1, 4, 16, 64)),
  'image_size': Axis('image_size', 'pixels a side', (32, 64, 128, 256, 512), unit='pixel'),
  'records': Axis('batch_size', 'records', (1000, 10_000, 100_000), ('convert',)),
  'workers': Axis('threads', 'workers', (1, 2), ('convert',)),
}


class Point(NamedTuple):
  """The cost at one value.

  Attributes:
    value: of the axis.
    picture: seconds of a picture.
    unit_seconds: of the axis's unit, at the median.
    linear: seconds of a picture at the cost of a unit where that is least, up to this value.
    cheapest: the smaller value where a unit costs least; None at the first value.
    growth: cost of a unit over that at `cheapest`, turn by turn; None at the first value.
    peak_bytes: of the system's process, or None.
  """

  value: int
  picture: timing.Statistics
  unit_seconds: float
  linear: float
  cheapest: int | None
  growth: timing.Ratio | None
  peak_bytes: int | None


class Growth(NamedTuple):
  """The costs of one system along an axis, at two rising values or more."""

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
    """Where a unit costs most, over the smaller value where it costs least."""
    return max(self.points[1:], key=lambda point: point.growth.value)

  @property
  def is_linear(self) -> bool:
    """Whether the whole cost grows no worse than linear, but for TOLERANCE."""
    return self.worst.growth.value <= 1 + TOLERANCE

  def __str__(self) -> str:
    worst = self.worst
    return (
      f'{self.name}: {"no worse" if self.is_linear else "worse"} than linear. A {self.axis.unit} '
      f'costs at most {worst.growth} what it costs at fewer {self.axis.label}: at {worst.value}, '
      f'over {worst.cheapest}; up to {1 + TOLERANCE}x passes for noise.'
    )


def vary(axis: Axis, workload: Workload, values: Sequence[int]) -> list[Workload]:
  """The workload at each of the values, in rising order.

  Raises:
    ConfigError: fewer than two values, one that the workload cannot have, or a kind of workload
      that is not measured along the axis.
  """
  if workload.what not in axis.kinds:
    raise ConfigError(
      f'what={workload.what}: growth with {axis.label} is measured on {", ".join(axis.kinds)}.'
    )
  distinct = sorted(set(values))
  if len(distinct) < 2:
    raise ConfigError(f'values={",".join(map(str, values))}: growth needs two different ones.')
  return [dataclasses.replace(workload, **{axis.field: value}) for value in distinct]


def find_growth(axis: Axis, outcomes: Sequence[Outcome]) -> list[Growth]:
  """One for each system, without those that were not measured at two values or more.

  Args:
    axis: along which the workloads differ, and in nothing else.
    outcomes: in the order of `vary`, measured in turns with each other.
  """
  lines = {}
  for outcome in outcomes:
    if outcome.turns:
      lines.setdefault(outcome.system, []).append(outcome)
  return [
    Growth(system, line[0].workload, axis, tuple(_points(axis, line)))
    for system, line in lines.items()
    if len(line) > 1
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
  """Of the columns of `cells`."""
  pixel = ('a pixel',) if axis.unit == 'pixel' else ()
  return (axis.label, 'a picture', 'quartiles', *pixel, 'growth', 'peak memory')


def cells(axis: Axis, point: Point) -> list[str]:
  """A point for people, under the headings of its axis."""
  cost = point.picture
  return [
    f'{point.value}',
    f'{1e3 * cost.median:.4g} ms',
    f'{1e3 * cost.lower:.4g} - {1e3 * cost.upper:.4g}',
    *([f'{1e9 * point.unit_seconds:.4g} ns'] if axis.unit == 'pixel' else []),
    f'{point.growth} of {point.cheapest}' if point.growth else '',
    format_bytes(point.peak_bytes) if point.peak_bytes else '',
  ]
