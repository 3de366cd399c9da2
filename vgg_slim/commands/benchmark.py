"""Measures this project on this machine, next to other frameworks, and names the bottleneck.

  tools/benchmark --model=vgg16 --what=forward,train_step --batch_size=16
  tools/benchmark --model=vgg16_bn --image_size=32 --batch_size=128 --precision=bfloat16 \\
      --what=train_step --peers=keras,torch,torch_compile,slim
  tools/benchmark --model=vgg16 --what=end_to_end --data_dir=data/photos
  tools/benchmark --what=input --batch_size=32 --num_batches=200 --data_dir=data/photos \\
      --peers=keras,torch
  tools/benchmark --model=vgg16 --what=forward --output=new.json --compare=old.json
  tools/benchmark --growth=batch_size --model=resnet50 --values=1,4,16,64 --plot=batch_size.png
  tools/benchmark --growth=records --plot=records.png --output=records.json
  tools/benchmark --model=vgg16 --what=train_step --memory_budget=none,3GB,2.8GB

forward, forward_backward and train_step run on synthetic images that are generated once. input is
the training pipeline alone (decode, resize to an S of 8/7 to 16/7 of the side, crop, mirror,
subtract the mean); the peers read the same files from a folder, the way their users would.
end_to_end is a training step fed by that pipeline and reports the bottleneck. dense slides the
network over a larger image and is compared with a forward pass at the network's own side.
cold_start measures the time from starting a process to its first prediction. convert builds a data
set of synthetic images. Every system runs in its own process, and the systems take turns, so that
their ratios hold even on a machine that others use. The ceilings take turns with them: a large
matrix product, and the convolutions of the network alone, in each pass that the workload computes.

--growth varies one number and reports whether the total cost grows faster than linearly: that is
the case where an image (for image_size, a pixel) costs more than at the cheapest smaller value.
batch_size and image_size apply to any --what; records and workers apply to convert, whose peak
memory is that of its parent process. All values take turns, so their processes need memory at the
same time.
"""

import dataclasses
from typing import BinaryIO

from absl import flags

from vgg_slim import output_files, processor, terminal
from vgg_slim.benchmarks import (
  ceiling_shapes,
  growth,
  machine,
  report,
  systems,
  turns,
  worker,
  workload,
)
from vgg_slim.commands import invocation, progress, terminal_tables
from vgg_slim.commands.flags import workload_flags
from vgg_slim.errors import ConfigError

workload_flags.define()
_WARMUP = flags.DEFINE_integer(
  'warmup', 10, 'Untimed batches to run first; cold_start and convert have none.', lower_bound=0
)
_TURNS = flags.DEFINE_integer(
  'turns', 5, 'Number of turns that the timed batches are divided into.', lower_bound=1
)
_PEERS = flags.DEFINE_list(
  'peers',
  [],
  f'Comma-separated frameworks to measure as well, out of {", ".join(systems.PEERS)}.',
)
_GROWTH = flags.DEFINE_enum(
  'growth', None, list(growth.AXES), 'Measure the cost per image at several values of this number.'
)
_VALUES = flags.DEFINE_list('values', None, 'Comma-separated values to measure with --growth.')
_PLOT = flags.DEFINE_string(
  'plot', None, 'File for a plot of the --growth measurement: .png, .pdf or .svg.'
)
_OUTPUT = flags.DEFINE_string('output', None, 'Write the rows to this file as JSON.')
_COMPARE = flags.DEFINE_string(
  'compare', None, 'JSON file that --output wrote in an earlier run; ratios to it are printed.'
)

# The parts of a training step, measured separately to find the bottleneck.
_PARTS = ('input', 'forward_backward', 'train_step', 'end_to_end')


def main() -> None:
  """Runs the measurements that the flags ask for, prints them and writes the files."""
  _check_flags()
  old = report.read_rows(_COMPARE.value) if _COMPARE.value else None
  with output_files.open_outputs(invocation.values_by_flag(_OUTPUT, _PLOT)) as streams:
    before = processor.activity()
    rows, curves = _measure_growth(_GROWTH.value) if _GROWTH.value else (_measure_kinds(), [])
    here = machine.observe(before)
    terminal.show(str(here))
    if stream := streams.get('--output'):
      report.write_rows(stream, rows, here)
    if _PLOT.value:
      _draw(curves, _PLOT.value, streams['--plot'])
  if old:
    for row, ratio in report.compare(rows, old):
      terminal.show(
        f'{report.name(row)}, {report.title(row)}: {ratio} the speed of {_COMPARE.value}'
      )


def _check_flags() -> None:
  unknown = sorted(set(_PEERS.value) - set(systems.PEERS))
  if unknown:
    raise ConfigError(f'--peers={",".join(unknown)}: expected {", ".join(systems.PEERS)}.')
  needing_growth = [f'--{flag.name}' for flag in (_VALUES, _PLOT) if flag.value]
  if needing_growth and not _GROWTH.value:
    raise ConfigError(f'--growth is required with {", ".join(needing_growth)}.')
  if _PLOT.value:
    output_files.check_suffix('--plot', _PLOT.value, output_files.DRAWINGS)


def _measure_kinds() -> list[report.Row]:
  rows = []
  for group in _groups(workload_flags.workloads(['train_step'])):
    measured = _measure(group)
    rows += measured
    for finding in (report.find_bottleneck(measured), report.find_dense_cost(measured)):
      if finding:
        terminal.show(str(finding))
  return rows


def _measure_growth(name: str) -> tuple[list[report.Row], list[growth.Growth]]:
  axis = growth.AXES[name]
  values = _read_values() or axis.values
  loads = workload_flags.workloads(axis.kinds[:1])
  rows, curves = [], []
  for varied in [growth.vary(axis, load, values) for load in loads]:
    outcomes = _run_turns(_cases(varied))
    rows += report.make_rows(outcomes)
    for curve in growth.find_growth(axis, outcomes):
      cells = [growth.cells(axis, point) for point in curve.points]
      terminal_tables.print_table(growth.headings(axis), cells, curve.name, text_columns=0)
      terminal.show(str(curve))
      curves.append(curve)
  return rows, curves


def _draw(curves: list[growth.Growth], path: str, stream: BinaryIO) -> None:
  from vgg_slim.plotting import growth as growth_plot

  kind = output_files.check_suffix('--plot', path, output_files.DRAWINGS)
  growth_plot.draw_growth(curves, curves[0].axis.label).savefig(stream, format=kind[1:])


def _read_values() -> list[int]:
  given = _VALUES.value or []
  try:
    return [int(value) for value in given]
  except ValueError as error:
    raise ConfigError(f'--values={",".join(given)}: expected comma-separated integers.') from error


def _groups(loads: list[workload.Workload]) -> list[list[workload.Workload]]:
  """Workloads that take turns: one kind within several budgets, or the parts of a whole step."""
  groups = []
  for load in loads:
    match load.what:
      case 'end_to_end':
        groups.append([dataclasses.replace(load, what=part) for part in _PARTS])
      case 'dense':
        forward = dataclasses.replace(load, what='forward', image_size=load.net_side)
        groups.append([forward, load])
      case _:
        others = [groups[-1][0], load] if groups else []
        if others and len({dataclasses.replace(each, memory_budget=None) for each in others}) == 1:
          groups[-1].append(load)
        else:
          groups.append([load])
  return groups


def _measure(loads: list[workload.Workload]) -> list[report.Row]:
  cases = _cases(loads)
  if loads[-1].what not in ('cold_start', *workload.WITHOUT_ARITHMETIC):
    cases += [turns.Case(name, loads[-1]) for name in ceiling_shapes.names(loads[-1])]
  outcomes = _run_turns(cases)
  rows = report.make_rows(outcomes)
  cells = [report.cells(row) for row in rows]
  terminal_tables.print_table(report.HEADINGS, cells, report.title(rows[0]))
  for row in rows:
    terminal.show(f'{row.system}: {report.classic_line(row)}')
    if line := _memory_line(row):
      terminal.show(line)
  if line := report.ceiling_line(outcomes):
    terminal.show(line)
  return rows


def _memory_line(row: report.Row) -> str | None:
  """Compares the peak memory of a training step with its prediction."""
  if row.system != systems.OURS or row.workload.what != 'train_step' or not row.peak_bytes:
    return None
  from vgg_slim.benchmarks import predicted_memory

  return predicted_memory.compare(row.workload, row.peak_bytes)


def _cases(loads: list[workload.Workload]) -> list[turns.Case]:
  names = (systems.OURS, *_PEERS.value)
  return [
    turns.Case(name, load)
    for load in loads
    for name in names
    if name == systems.OURS or load.memory_budget is None
  ]


def _run_turns(cases: list[turns.Case]) -> list[turns.Outcome]:
  what = cases[-1].workload.what
  with progress.show(f'Measuring {what}', 'turns') as report_progress:
    outcomes = turns.run_turns(
      cases,
      workload_flags.size('num_batches', what),
      _WARMUP.value,
      _TURNS.value,
      worker.__name__,
      report_progress,
    )
  absent = [(outcome.system, outcome.absent) for outcome in outcomes if outcome.absent]
  for system, reason in dict.fromkeys(absent):
    terminal.show(f'{system} was not measured: {reason}.')
  return outcomes


def run() -> None:
  """Entry point of the console command."""
  invocation.run(main)


if __name__ == '__main__':
  run()
