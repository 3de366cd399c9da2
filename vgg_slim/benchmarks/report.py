"""Results of a benchmark: rows, their JSON, a comparison of two files, and the bottleneck."""

import dataclasses
import json
import pathlib
from collections.abc import Sequence
from typing import BinaryIO

from vgg_slim.benchmarks import ceiling_shapes, timing
from vgg_slim.benchmarks.machine import Machine
from vgg_slim.benchmarks.systems import CEILINGS, OURS
from vgg_slim.benchmarks.turns import Outcome
from vgg_slim.benchmarks.workload import Workload, flop
from vgg_slim.errors import BenchmarkError
from vgg_slim.nets.summary import format_bytes
from vgg_slim.wording import counted

FORMAT = 1

# The ceilings that each share in a row compares with.
SHARES = {'matmul': (ceiling_shapes.MATMUL,), 'convolutions': ceiling_shapes.PASSES}
_PASS_TITLES = {
  ceiling_shapes.FORWARD: 'forward',
  ceiling_shapes.MAP_GRADIENTS: 'gradients of maps',
  ceiling_shapes.KERNEL_GRADIENTS: 'gradients of kernels',
}


@dataclasses.dataclass(frozen=True)
class Row:
  """The results of one system on one workload.

  Attributes:
    system: name of the system.
    workload: the workload it ran.
    statistics: statistics of the seconds per batch.
    images_per_second: throughput at the median.
    gflop_per_second: arithmetic throughput at the median; 0 for 'input' and 'convert'.
    shares: fraction of the ceiling in the same run that it reaches, by the names in `SHARES`.
    ours: speed of this project on the same workload over the system's; None for this project.
    peak_bytes: peak memory of the system's process, in bytes; None where it is unknown.
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
    """Key for comparing rows of different runs: system, and workload without its data set."""
    return self.system, dataclasses.replace(self.workload, data_dir=None)


def make_rows(outcomes: Sequence[Outcome]) -> list[Row]:
  """Returns one row per measured outcome; ceilings have no row but give the rows' shares."""
  measured = [outcome for outcome in outcomes if outcome.turns]
  best = _best_speeds(measured)
  ours = {outcome.workload: outcome for outcome in measured if outcome.system == OURS}
  return [
    _make_row(outcome, best, ours.get(outcome.workload))
    for outcome in measured
    if outcome.system not in CEILINGS
  ]


def _best_speeds(measured: Sequence[Outcome]) -> dict[str, float]:
  """Floating-point operations per second of the ceilings, by the names in `SHARES`.

  The passes of the convolutions count together, as one step computes them: all operations over all
  of the time.
  """
  medians = [
    (
      outcome.system,
      ceiling_shapes.flop(outcome.system, outcome.workload),
      timing.describe(outcome.seconds).median,
    )
    for outcome in measured
    if outcome.system in CEILINGS
  ]
  best = {}
  for share, members in SHARES.items():
    ceilings = [(flop, seconds) for system, flop, seconds in medians if system in members]
    if ceilings:
      best[share] = sum(flop for flop, _ in ceilings) / sum(seconds for _, seconds in ceilings)
  return best


def ceiling_line(outcomes: Sequence[Outcome]) -> str | None:
  """States the speed of each pass of the convolutions alone; None if none was measured."""
  speeds = []
  for outcome in outcomes:
    if outcome.system in ceiling_shapes.PASSES and outcome.turns:
      seconds = timing.describe(outcome.seconds).median
      flop = ceiling_shapes.flop(outcome.system, outcome.workload)
      title = _PASS_TITLES[outcome.system]
      speeds.append(f'{title} {1e3 * seconds:.1f} ms ({flop / seconds / 1e9:.0f} GFLOP/s)')
      model = outcome.workload.model
  return f'The convolutions of {model} alone: {", ".join(speeds)}.' if speeds else None


def _make_row(outcome: Outcome, best: dict[str, float], ours: Outcome | None) -> Row:
  statistics = timing.describe(outcome.seconds)
  speed = flop(outcome.workload) / statistics.median
  is_peer = outcome.system != OURS
  return Row(
    system=outcome.system,
    workload=outcome.workload,
    statistics=statistics,
    images_per_second=outcome.workload.batch_size / statistics.median,
    gflop_per_second=speed / 1e9,
    shares={name: speed / fastest for name, fastest in best.items()},
    ours=timing.ratio_of_turns(ours.turns, outcome.turns) if ours and is_peer else None,
    peak_bytes=outcome.peak_bytes,
  )


HEADINGS = (
  'system',
  'median',
  'quartiles',
  'images/s',
  'GFLOP/s',
  'of matmul',
  'of convolutions',
  'peak memory',
  'vgg_slim is',
)


def title(row: Row) -> str:
  """Describes the network and how it runs, or for 'convert' the data set."""
  load = row.workload
  if load.what == 'convert':
    images = f'{counted(load.batch_size, "image")} of {load.image_size} px'
    return f'{images}, {counted(load.threads, "worker")}'
  return (
    f'{load.model} at {load.image_size} px, batch {load.batch_size}, '
    f'{load.precision}, {counted(load.threads, "thread")}'
  )


def name(row: Row) -> str:
  """The system and the kind of workload, with its memory budget."""
  budget = row.workload.memory_budget
  return f'{row.system} {row.workload.what}' + (f' within {budget}' if budget else '')


def cells(row: Row) -> list[str]:
  """The row as text, one cell for each of HEADINGS."""
  seconds = row.statistics
  shares = [
    f'{row.shares[name]:.0%}' if row.gflop_per_second and name in row.shares else ''
    for name in SHARES
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
  """A line in the format of the 2016 AlexNet and VGG benchmarks: 'forward across 30 steps, ...'."""
  seconds = row.statistics
  return (
    f'{row.workload.what} across {counted(seconds.batches, "step")}, '
    f'{seconds.mean:.3f} +/- {seconds.deviation:.3f} sec / batch'
  )


@dataclasses.dataclass(frozen=True)
class Bottleneck:
  """Where the time of a training step goes, in seconds per batch.

  Attributes:
    input: reading, decoding and augmentation on their own; on a CPU they compete with `compute`.
    compute: network, loss and gradients.
    optimizer: weight decay, update and batch-norm averages.
    summaries: the rest of the whole step: scalars, their copies, and waiting.
  """

  input: float
  compute: float
  optimizer: float
  summaries: float

  @property
  def name(self) -> str:
    """The part that takes the longest."""
    parts = dataclasses.asdict(self)
    return max(parts, key=parts.__getitem__)

  def __str__(self) -> str:
    parts = dataclasses.asdict(self)
    text = ', '.join(f'{part} {1e3 * seconds:.1f} ms' for part, seconds in parts.items())
    return f'Bottleneck: {self.name} ({text} per batch).'


def find_bottleneck(rows: Sequence[Row]) -> Bottleneck | None:
  """Splits this project's training step into parts; None unless all four were measured."""
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
  """Cost of dense evaluation compared with a forward pass.

  Attributes:
    side: side of the image that is evaluated densely, in pixels.
    forward_side: side of the image of the forward pass, in pixels.
    share: time per dense image over the time of its arithmetic at the speed of the forward pass.
  """

  side: int
  forward_side: int
  share: float

  def __str__(self) -> str:
    return (
      f'A dense image of {self.side} px takes {self.share:.2f} times as long as its arithmetic '
      f'would at the speed of a forward pass at {self.forward_side} px.'
    )


def find_dense_cost(rows: Sequence[Row]) -> DenseCost | None:
  """Compares this project's 'dense' with its 'forward'; None unless both were measured."""
  ours = {row.workload.what: row for row in rows if row.system == OURS}
  if not {'dense', 'forward'} <= set(ours):
    return None
  dense, forward = ours['dense'], ours['forward']
  return DenseCost(
    dense.workload.image_size,
    forward.workload.image_size,
    forward.gflop_per_second / dense.gflop_per_second,
  )


def write_rows(stream: BinaryIO, rows: Sequence[Row], machine: Machine) -> None:
  """Writes the machine and the rows to `stream` as JSON; `read_rows` reads the rows."""
  values = {
    'format': FORMAT,
    'machine': machine.values(),
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
  """Reads the rows of a file that `write_rows` wrote.

  Raises:
    BenchmarkError: the file does not exist or is not an output of tools/benchmark.
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
    raise BenchmarkError(f'{path} is not an output of tools/benchmark: {error}.') from error


def compare(new: Sequence[Row], old: Sequence[Row]) -> list[tuple[Row, timing.Ratio]]:
  """Returns the speed of each new row over the old row of the same measurement.

  Raises:
    BenchmarkError: the two runs have no measurement in common.
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
