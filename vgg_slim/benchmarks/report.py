"""What a benchmark says: rows, their JSON, a comparison of two files, and the bottleneck."""

import contextlib
import dataclasses
import json
import os
import pathlib
import platform
import re
from collections.abc import Sequence
from typing import BinaryIO

from vgg_slim.benchmarks import ceiling_shapes, timing
from vgg_slim.benchmarks.systems import CEILINGS, OURS
from vgg_slim.benchmarks.turns import Outcome
from vgg_slim.benchmarks.workload import Workload, flop
from vgg_slim.errors import BenchmarkError
from vgg_slim.nets.summary import format_bytes

FORMAT = 1


@dataclasses.dataclass(frozen=True)
class Row:
  """One system on one workload.

  Attributes:
    system: its name.
    workload: what it ran.
    statistics: seconds of a batch.
    images_per_second: at the median.
    gflop_per_second: at the median; 0 for 'input' and 'convert'.
    shares: of what the machine did in the same run, by the ceiling's name.
    ours: how many times as fast this project is on the same workload; None for ours.
    peak_bytes: of the system's process, or None.
  """

  system: str
  workload: Workload
  statistics: timing.Statistics
  images_per_second: float
  gflop_per_second: float
  shares: dict[str, float]
  ours: timing.Ratio | None
  peak_bytes: int | None

  @property
  def key(self) -> tuple[str, Workload]:
    """What has to be equal for two rows to be of the same measurement."""
    return self.system, dataclasses.replace(self.workload, data_dir=None)


def make_rows(outcomes: Sequence[Outcome]) -> list[Row]:
  """One row for each system that was measured, ceilings apart, which become the rows' shares."""
  measured = [outcome for outcome in outcomes if outcome.turns]
  best = {
    outcome.system: ceiling_shapes.FLOP[outcome.system] / timing.describe(outcome.seconds).median
    for outcome in measured
    if outcome.system in CEILINGS
  }
  ours = {outcome.workload: outcome for outcome in measured if outcome.system == OURS}
  return [
    _make_row(outcome, best, ours.get(outcome.workload))
    for outcome in measured
    if outcome.system not in CEILINGS
  ]


def _make_row(outcome: Outcome, best: dict[str, float], ours: Outcome | None) -> Row:
  statistics = timing.describe(outcome.seconds)
  speed = flop(outcome.workload) / statistics.median
  is_peer = ours is not None and outcome.system != OURS
  return Row(
    system=outcome.system,
    workload=outcome.workload,
    statistics=statistics,
    images_per_second=outcome.workload.batch_size / statistics.median,
    gflop_per_second=speed / 1e9,
    shares={name: speed / fastest for name, fastest in best.items()},
    ours=timing.ratio_of_turns(ours.turns, outcome.turns) if is_peer else None,
    peak_bytes=outcome.peak_bytes,
  )


HEADINGS = (
  'system',
  'median',
  'quartiles',
  'images/s',
  'GFLOP/s',
  'of matmul',
  'of convolution',
  'peak memory',
  'vgg_slim is',
)


def title(row: Row) -> str:
  """The network and how it runs, in words; what is converted, where that is measured."""
  load = row.workload
  if load.what == 'convert':
    return f'{load.batch_size} pictures of {load.image_size} px, {load.threads} workers'
  return (
    f'{load.model} at {load.image_size} px, batch {load.batch_size}, '
    f'{load.precision}, {load.threads} threads'
  )


def name(row: Row) -> str:
  """The system and what it runs."""
  return f'{row.system} {row.workload.what}'


def cells(row: Row) -> list[str]:
  """A row for people, under HEADINGS."""
  seconds = row.statistics
  shares = [
    f'{row.shares[name]:.0%}' if row.gflop_per_second and name in row.shares else ''
    for name in CEILINGS
  ]
  return [
    name(row),
    f'{1e3 * seconds.median:.1f} ms',
    f'{1e3 * seconds.lower:.1f} - {1e3 * seconds.upper:.1f}',
    f'{row.images_per_second:.1f}',
    f'{row.gflop_per_second:.0f}' if row.gflop_per_second else '',
    *shares,
    format_bytes(row.peak_bytes) if row.peak_bytes else '',
    f'{row.ours}' if row.ours else '',
  ]


def classic_line(row: Row) -> str:
  """The line of the AlexNet and VGG benchmarks of 2016, such as 'forward across 30 steps, ...'."""
  seconds = row.statistics
  return (
    f'{row.workload.what} across {seconds.batches} steps, '
    f'{seconds.mean:.3f} +/- {seconds.deviation:.3f} sec / batch'
  )


@dataclasses.dataclass(frozen=True)
class Bottleneck:
  """Where the time of a training step goes, in seconds a batch.

  Attributes:
    input: reading, decoding and augmenting by themselves; on a CPU they compete with `compute`.
    compute: network, loss and gradients.
    optimizer: weight decay, update and batch-norm averages.
    summaries: what is left of the whole step: scalars, their copies, and waiting.
  """

  input: float
  compute: float
  optimizer: float
  summaries: float

  @property
  def name(self) -> str:
    """The part that takes longest."""
    parts = dataclasses.asdict(self)
    return max(parts, key=parts.get)

  def __str__(self) -> str:
    parts = dataclasses.asdict(self)
    text = ', '.join(f'{part} {1e3 * seconds:.1f} ms' for part, seconds in parts.items())
    return f'Bottleneck: {self.name} ({text} a batch).'


def find_bottleneck(rows: Sequence[Row]) -> Bottleneck | None:
  """Takes a training step of ours apart; None unless all four of its measurements are there."""
  medians = {row.workload.what: row.statistics.median for row in rows if row.system == OURS}
  try:
    whole, step = medians['end_to_end'], medians['train_step']
    alone, compute = medians['input'], medians['forward_backward']
  except KeyError:
    return None
  return Bottleneck(
    input=alone,
    compute=compute,
    optimizer=max(0.0, step - compute),
    summaries=max(0.0, whole - step - alone),
  )


@dataclasses.dataclass(frozen=True)
class DenseCost:
  """What a picture costs densely, over its share of arithmetic of a forward pass."""

  side: int
  forward_side: int
  share: float

  def __str__(self) -> str:
    return (
      f'A picture of {self.side} px costs {self.share:.2f} times its arithmetic share of a forward '
      f'pass at {self.forward_side} px.'
    )


def find_dense_cost(rows: Sequence[Row]) -> DenseCost | None:
  """Compares ours on 'dense' with 'forward'; None unless both are there."""
  ours = {row.workload.what: row for row in rows if row.system == OURS}
  if not {'dense', 'forward'} <= set(ours):
    return None
  dense, forward = ours['dense'], ours['forward']
  return DenseCost(
    dense.workload.image_size,
    forward.workload.image_size,
    forward.gflop_per_second / dense.gflop_per_second,
  )


def machine() -> str:
  """The processor's name and cores, such as 'AMD EPYC, 2 cores'."""
  name = platform.processor() or platform.machine()
  with contextlib.suppress(OSError):
    text = pathlib.Path('/proc/cpuinfo').read_text(encoding='utf-8')
    found = re.search(r'^model name\s*: (.*)$', text, re.MULTILINE)
    name = found[1] if found else name
  return f'{name}, {os.cpu_count()} cores'


def write_rows(stream: BinaryIO, rows: Sequence[Row]) -> None:
  """Writes the rows as JSON that `read_rows` reads."""
  values = {
    'format': FORMAT,
    'machine': machine(),
    'rows': [
      {
        **dataclasses.asdict(row),
        'statistics': row.statistics._asdict(),
        'ours': row.ours._asdict() if row.ours else None,
      }
      for row in rows
    ],
  }
  stream.write(f'{json.dumps(values, indent=2)}\n'.encode())


def read_rows(path: str) -> list[Row]:
  """Inverse of `write_rows`.

  Raises:
    BenchmarkError: no such file, or not one of this program; names it.
  """
  try:
    values = json.loads(pathlib.Path(path).read_text(encoding='utf-8'))
    if values['format'] != FORMAT:
      raise BenchmarkError(f'{path}: format {values["format"]}, expected {FORMAT}.')
    return [
      Row(
        **{
          **row,
          'workload': Workload(**row['workload']),
          'statistics': timing.Statistics(**row['statistics']),
          'ours': timing.Ratio(**row['ours']) if row['ours'] else None,
        }
      )
      for row in values['rows']
    ]
  except (OSError, ValueError, KeyError, TypeError) as error:
    raise BenchmarkError(f'{path} is no output of tools/benchmark: {error}.') from error


def compare(new: Sequence[Row], old: Sequence[Row]) -> list[tuple[Row, timing.Ratio]]:
  """Speed of each new row over the old row of the same measurement.

  Raises:
    BenchmarkError: no row of the two is of the same measurement.
  """
  before = {row.key: row for row in old}
  pairs = [
    (row, timing.ratio_of_runs(row.statistics, before[row.key].statistics))
    for row in new
    if row.key in before
  ]
  if not pairs:
    raise BenchmarkError('The two runs have no measurement in common.')
  return pairs
