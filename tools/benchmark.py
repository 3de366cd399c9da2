"""Measures this project on this machine, beside other frameworks, and says what holds it up.

  tools/benchmark --model=vgg16 --what=forward,train_step --batch_size=16
  tools/benchmark --model=vgg16_bn --image_size=32 --batch_size=128 --precision=bfloat16 \\
      --what=train_step --peers=keras,torch,torch_compile,slim
  tools/benchmark --model=vgg16 --what=end_to_end --data_dir=data/photos
  tools/benchmark --what=input --batch_size=32 --num_batches=200 --data_dir=data/photos \\
      --peers=keras,torch
  tools/benchmark --model=vgg16 --what=forward --output=new.json --compare=old.json

forward, forward_backward and train_step run on pictures made up once; input is the training
pipeline alone (decode, S of 8/7 to 16/7 of the side, crop, mirror, mean), for the peers of the same
files in a folder, read as their users read one;
end_to_end is a training step fed by it, and names the bottleneck; dense slides the network over a
larger picture, beside a forward pass at the network's own side; cold_start goes from a new process
to its first prediction. Every system is a process of its own, and they take turns, so that ratios
hold on a machine that others use as well. The ceiling is a large product or convolution that takes
turns with them.
"""

import dataclasses

from absl import flags

from tools import invocation, progress, terminal_tables
from vgg_slim.benchmarks import report, systems, turns, worker, workload
from vgg_slim.constants import IMAGE_SIDE, NUM_IMAGENET_CLASSES
from vgg_slim.data import manifest as manifests
from vgg_slim.errors import ConfigError
from vgg_slim.nets import net_spec

_WHAT = flags.DEFINE_list('what', ['train_step'], f'With commas, of {", ".join(workload.KINDS)}.')
_MODEL = flags.DEFINE_string('model', 'vgg16', 'Network, as of tools/train.')
_BATCH_SIZE = flags.DEFINE_integer('batch_size', 16, 'Pictures in a batch.')
_IMAGE_SIZE = flags.DEFINE_integer('image_size', IMAGE_SIDE, 'Side of the pictures, in pixels.')
_FC_UNITS = flags.DEFINE_integer('fc_units', net_spec.FC_UNITS, 'Units of fc6 and fc7.')
_NUM_CLASSES = flags.DEFINE_integer(
  'num_classes', NUM_IMAGENET_CLASSES, "Classes, where there is no data set; by default ImageNet's."
)
_PRECISION = flags.DEFINE_list(
  'precision', ['float32'], f'With commas, of {", ".join(workload.PRECISIONS)}.'
)
_NUM_BATCHES = flags.DEFINE_integer('num_batches', 30, 'Batches to time.', lower_bound=1)
_WARMUP = flags.DEFINE_integer('warmup', 10, 'Batches before these.', lower_bound=0)
_TURNS = flags.DEFINE_integer('turns', 5, 'Turns that they are spread over.', lower_bound=1)
_PEERS = flags.DEFINE_list('peers', [], f'With commas, of {", ".join(systems.PEERS)}.')
_DATA_DIR = flags.DEFINE_string(
  'data_dir', None, 'Converted data set, for input and end_to_end. By default the digits.'
)
_OUTPUT = flags.DEFINE_string('output', None, 'Write the rows to this file as JSON.')
_COMPARE = flags.DEFINE_string('compare', None, 'Such a file of an earlier run, for ratios.')

# What a training step is taken apart into, to find what holds it up.
_PARTS = ('input', 'forward_backward', 'train_step', 'end_to_end')


def main() -> None:
  """Wires flags, processes and report together."""
  unknown = sorted(set(_PEERS.value) - set(systems.PEERS))
  if unknown:
    raise ConfigError(f'--peers={",".join(unknown)}: expected {", ".join(systems.PEERS)}.')
  old = report.read_rows(_COMPARE.value) if _COMPARE.value else None
  rows = []
  for group in _groups():
    measured = _measure(group)
    rows += measured
    for finding in (report.find_bottleneck(measured), report.find_dense_cost(measured)):
      if finding:
        print(finding)
  if _OUTPUT.value:
    report.write_rows(_OUTPUT.value, rows)
  if old:
    for row, ratio in report.compare(rows, old):
      print(f'{report.name(row)}, {report.title(row)}: {ratio} the speed of {_COMPARE.value}')


def _groups() -> list[list[workload.Workload]]:
  """What is measured in turns with each other: a kind, or the parts of a whole step."""
  digits = _DATA_DIR.value is None and {'input', 'end_to_end'} & set(_WHAT.value)
  data_dir = _digits_dir() if digits else _DATA_DIR.value
  num_classes = _NUM_CLASSES.value
  if data_dir:
    num_classes = manifests.read_manifest(data_dir).num_classes
  groups = []
  for what in _WHAT.value:
    for precision in _PRECISION.value:
      load = workload.Workload(
        what,
        _MODEL.value,
        _BATCH_SIZE.value,
        _IMAGE_SIZE.value,
        num_classes,
        _FC_UNITS.value,
        precision,
        data_dir=data_dir,
      )
      match what:
        case 'end_to_end':
          groups.append([dataclasses.replace(load, what=part) for part in _PARTS])
        case 'dense':
          forward = dataclasses.replace(load, what='forward', image_size=load.net_side)
          groups.append([forward, load])
        case _:
          groups.append([load])
  return groups


def _digits_dir() -> str:
  invocation.load_tensorflow()
  from vgg_slim.data import default_data

  return str(default_data.digits_folder(default_data.cache_folder()))


def _measure(loads: list[workload.Workload]) -> list[report.Row]:
  names = (systems.OURS, *_PEERS.value)
  contestants = [turns.Contestant(name, load) for load in loads for name in names]
  if loads[-1].what not in ('input', 'cold_start'):  # these are no arithmetic
    contestants += [turns.Contestant(name, loads[-1]) for name in systems.CEILINGS]
  with progress.show(f'Measuring {loads[-1].what}', 'turns') as report_progress:
    outcomes = turns.run_turns(
      contestants,
      _NUM_BATCHES.value,
      _WARMUP.value,
      _TURNS.value,
      worker.__name__,
      report_progress,
    )
  absent = [(outcome.system, outcome.absent) for outcome in outcomes if outcome.absent]
  for system, reason in dict.fromkeys(absent):
    print(f'{system} is left out: {reason}.')
  rows = report.make_rows(outcomes)
  _print_rows(rows)
  return rows


def _print_rows(rows: list[report.Row]) -> None:
  cells = [report.cells(row) for row in rows]
  terminal_tables.print_table(report.HEADINGS, cells, report.title(rows[0]))
  for row in rows:
    print(f'{row.system}: {report.classic_line(row)}')


def run() -> None:
  """The console command."""
  invocation.run(main)


if __name__ == '__main__':
  run()
