"""Measures this project on this machine, beside other frameworks, and says what holds it up.

  tools/benchmark --model=vgg16 --what=forward,train_step --batch_size=16
  tools/benchmark --model=vgg16_bn --image_size=32 --batch_size=128 --precision=bfloat16 \\
      --what=train_step --peers=keras,torch,torch_compile,slim
  tools/benchmark --model=vgg16 --what=end_to_end --data_dir=data/photos
  tools/benchmark --what=input --batch_size=32 --num_batches=200 --data_dir=data/photos \\
      --peers=keras,torch
  tools/benchmark --model=vgg16 --what=forward --output=new.json --compare=old.json
  tools/benchmark --growth=batch_size --model=resnet50 --values=1,4,16,64 --plot=batch_size.png
  tools/benchmark --growth=records --plot=records.png --output=records.json

forward, forward_backward and train_step run on pictures made up once; input is the training
pipeline alone (decode, S of 8/7 to 16/7 of the side, crop, mirror, mean), for the peers of the same
files in a folder, read as their users read one;
end_to_end is a training step fed by it, and names the bottleneck; dense slides the network over a
larger picture, beside a forward pass at the network's own side; cold_start goes from a new process
to its first prediction; convert makes a data set of made-up pictures. Every system is a process of
its own, and they take turns, so that ratios hold on a machine that others use as well. The ceiling
is a large product or convolution that takes turns with them.

--growth varies one number and says whether the whole cost grows worse than linear with it: where a
picture, or for image_size a pixel, costs more than at the cheapest smaller value. batch_size and
image_size are of any --what, records and workers of convert, whose peak memory is its parent's. All
values take turns, so that their processes need memory together.
"""

import dataclasses
from typing import BinaryIO

from absl import flags

from vgg_slim import output_files
from vgg_slim.benchmarks import growth, report, systems, turns, worker, workload
from vgg_slim.commands import invocation, progress, terminal_tables
from vgg_slim.commands.flags import workload_flags
from vgg_slim.errors import ConfigError

workload_flags.define()
_WARMUP = flags.DEFINE_integer(
  'warmup', 10, 'Batches before these; cold_start and convert have none.', lower_bound=0
)
_TURNS = flags.DEFINE_integer('turns', 5, 'Turns that they are spread over.', lower_bound=1)
_PEERS = flags.DEFINE_list('peers', [], f'With commas, of {", ".join(systems.PEERS)}.')
_GROWTH = flags.DEFINE_enum(
  'growth', None, list(growth.AXES), 'Measure what a picture costs at several values of it.'
)
_VALUES = flags.DEFINE_list('values', None, 'growth: its values, with commas.')
_PLOT = flags.DEFINE_string('plot', None, 'growth: draw it into this .png, .pdf or .svg.')
_OUTPUT = flags.DEFINE_string('output', None, 'Write the rows to this file as JSON.')
_COMPARE = flags.DEFINE_string('compare', None, 'Such a file of an earlier run, for ratios.')

# What a training step is taken apart into, to find what holds it up.
_PARTS = ('input', 'forward_backward', 'train_step', 'end_to_end')


def main() -> None:
  """Wires flags, processes and report together."""
  _check_flags()
  old = report.read_rows(_COMPARE.value) if _COMPARE.value else None
  with output_files.open_outputs(invocation.values_by_flag(_OUTPUT, _PLOT)) as streams:
    rows, found = _measure_growth() if _GROWTH.value else (_measure_kinds(), [])
    if stream := streams.get('--output'):
      report.write_rows(stream, rows)
    if stream := streams.get('--plot'):
      _draw(found, stream)
  if old:
    for row, ratio in report.compare(rows, old):
      print(f'{report.name(row)}, {report.title(row)}: {ratio} the speed of {_COMPARE.value}')


def _check_flags() -> None:
  unknown = sorted(set(_PEERS.value) - set(systems.PEERS))
  if unknown:
    raise ConfigError(f'--peers={",".join(unknown)}: expected {", ".join(systems.PEERS)}.')
  of_growth = [f'--{flag.name}' for flag in (_VALUES, _PLOT) if flag.value]
  if of_growth and not _GROWTH.value:
    raise ConfigError(f'{", ".join(of_growth)}: --growth is missing.')
  if _PLOT.value:
    output_files.check_suffix('--plot', _PLOT.value, output_files.DRAWINGS)


def _measure_kinds() -> list[report.Row]:
  rows = []
  for group in _groups(workload_flags.workloads(['train_step'])):
    measured = _measure(group)
    rows += measured
    for finding in (report.find_bottleneck(measured), report.find_dense_cost(measured)):
      if finding:
        print(finding)
  return rows


def _measure_growth() -> tuple[list[report.Row], list[growth.Growth]]:
  axis = growth.AXES[_GROWTH.value]
  values = _read_values() or axis.values
  loads = workload_flags.workloads(axis.kinds[:1])
  rows, found = [], []
  for varied in [growth.vary(axis, load, values) for load in loads]:
    outcomes = _run_turns(_contestants(varied))
    rows += report.make_rows(outcomes)
    for one in growth.find_growth(axis, outcomes):
      cells = [growth.cells(axis, point) for point in one.points]
      terminal_tables.print_table(growth.headings(axis), cells, one.name, text_columns=0)
      print(one)
      found.append(one)
  return rows, found


def _draw(found: list[growth.Growth], stream: BinaryIO) -> None:
  from vgg_slim.plotting import growth as growth_plot

  kind = output_files.check_suffix('--plot', _PLOT.value, output_files.DRAWINGS)
  growth_plot.draw_growth(found, found[0].axis.label).savefig(stream, format=kind[1:])


def _read_values() -> list[int]:
  try:
    return [int(value) for value in _VALUES.value or []]
  except ValueError as error:
    given = ','.join(_VALUES.value)
    raise ConfigError(f'--values={given}: expected whole numbers with commas.') from error


def _groups(loads: list[workload.Workload]) -> list[list[workload.Workload]]:
  """What is measured in turns with each other: a kind, or the parts of a whole step."""
  groups = []
  for load in loads:
    match load.what:
      case 'end_to_end':
        groups.append([dataclasses.replace(load, what=part) for part in _PARTS])
      case 'dense':
        forward = dataclasses.replace(load, what='forward', image_size=load.net_side)
        groups.append([forward, load])
      case _:
        groups.append([load])
  return groups


def _measure(loads: list[workload.Workload]) -> list[report.Row]:
  contestants = _contestants(loads)
  if loads[-1].what not in ('cold_start', *workload.WITHOUT_ARITHMETIC):
    contestants += [turns.Contestant(name, loads[-1]) for name in systems.CEILINGS]
  rows = report.make_rows(_run_turns(contestants))
  cells = [report.cells(row) for row in rows]
  terminal_tables.print_table(report.HEADINGS, cells, report.title(rows[0]))
  for row in rows:
    print(f'{row.system}: {report.classic_line(row)}')
  return rows


def _contestants(loads: list[workload.Workload]) -> list[turns.Contestant]:
  names = (systems.OURS, *_PEERS.value)
  return [turns.Contestant(name, load) for load in loads for name in names]


def _run_turns(contestants: list[turns.Contestant]) -> list[turns.Outcome]:
  what = contestants[-1].workload.what
  with progress.show(f'Measuring {what}', 'turns') as report_progress:
    outcomes = turns.run_turns(
      contestants,
      workload_flags.size('num_batches', what),
      _WARMUP.value,
      _TURNS.value,
      worker.__name__,
      report_progress,
    )
  absent = [(outcome.system, outcome.absent) for outcome in outcomes if outcome.absent]
  for system, reason in dict.fromkeys(absent):
    print(f'{system} is left out: {reason}.')
  return outcomes


def run() -> None:
  """The console command."""
  invocation.run(main)


if __name__ == '__main__':
  run()
