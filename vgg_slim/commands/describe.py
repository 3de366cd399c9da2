"""Describes a network without building it: layers, parameters, multiply-adds, memory, drawing.

  tools/describe --model=vgg16
  tools/describe --model=resnet50 --num_classes=4 --batch_size=8 --picture=resnet50.png
  tools/describe --model=vgg_cifar --num_classes=10 --format=json

Multiply-adds are counted for one image, in millions (M). The field is the side of the receptive
field: the part of the image, in pixels, that a value of the layer depends on. Memory is the peak of
a process in a training step with momentum, as --memory_budget of tools/train predicts it.
"""

import json
from typing import TYPE_CHECKING, Any

from absl import flags

from vgg_slim import output_files
from vgg_slim.commands import invocation, terminal_tables
from vgg_slim.commands.flags import unused_flags
from vgg_slim.configs.optimizer import OptimizerConfig
from vgg_slim.constants import FC_UNITS
from vgg_slim.nets import head_specs, specs, summary
from vgg_slim.training import step_memory

if TYPE_CHECKING:  # matplotlib is only imported to draw
  from vgg_slim.plotting.network import Figure

_MODEL = flags.DEFINE_string('model', 'vgg16', f'Network: {", ".join(specs.MODEL_NAMES)}.')
_NUM_CLASSES = flags.DEFINE_integer(
  'num_classes', 1000, 'Number of classes; 0 for the trunk without a head.', lower_bound=0
)
_IMAGE_SIZE = flags.DEFINE_integer(
  'image_size',
  None,
  'Side of the images, in pixels. Defaults to the one that the network was published for.',
  lower_bound=1,
)
_FC_UNITS = flags.DEFINE_integer(
  'fc_units', FC_UNITS, 'Number of units of fc6 and fc7.', lower_bound=1
)
_HEAD = flags.DEFINE_enum(
  'head', None, list(head_specs.HEADS), "Head of the network. Defaults to the network's own."
)
_BATCH_SIZE = flags.DEFINE_integer(
  'batch_size', 32, 'Number of images per training step, for the memory.', lower_bound=1
)
_PRECISION = flags.DEFINE_enum(
  'precision',
  'float32',
  list(summary.PRECISIONS),
  'Precision of activations, for the memory; weights stay float32.',
)
_PICTURE = flags.DEFINE_string(
  'picture', None, 'File for a drawing of the network: .png, .pdf or .svg.'
)
_FORMAT = flags.DEFINE_enum('format', 'table', ['table', 'json'], 'Output format.')

_HEADINGS = (
  'layer',
  'kind',
  'output',
  'parameters',
  'multiply adds, M',  # with spaces, at which it may be wrapped
  'field',
  'stride',
)


def main() -> None:
  """Prints the layers and totals of the network, and draws it where --picture is given."""
  spec = specs.get(_MODEL.value)
  if _NUM_CLASSES.value:
    unused_flags.check(_MODEL.value, _HEAD.value)
  else:
    unused_flags.check_trunk('--num_classes=0', 'head', 'fc_units')
  side = _IMAGE_SIZE.value or spec.image_size
  layers = _NUM_CLASSES.value or None, side, _FC_UNITS.value, _HEAD.value
  rows = summary.summarize(spec, *layers)
  network = step_memory.describe_network(spec, *layers, _PRECISION.value, OptimizerConfig())
  memory = network.parts(_BATCH_SIZE.value)
  if _PICTURE.value:
    kind = output_files.check_suffix('--picture', _PICTURE.value, output_files.DRAWINGS)
    with output_files.open_outputs(invocation.values_by_flag(_PICTURE)) as streams:
      _draw(rows, side).savefig(streams['--picture'], format=kind[1:])
  if _FORMAT.value == 'json':
    print(json.dumps(_as_json(rows, memory, side), indent=2))
    return
  _print_rows(f'{_MODEL.value} at {side} x {side} pixels', rows)
  _print_totals(rows, memory)


def _draw(rows: list[summary.Row], side: int) -> 'Figure':
  from vgg_slim.plotting import network

  totals = summary.total(rows)
  work = f'{totals.multiply_adds / 1e9:.2f} G multiply-adds'
  title = f'{_MODEL.value}: {totals.parameters:,} parameters, {work}'
  return network.draw_network(summary.slabs(rows, side), title)


def _as_json(rows: list[summary.Row], memory: step_memory.Memory, side: int) -> dict[str, Any]:
  return {
    'model': _MODEL.value,
    'image_size': side,
    'layers': [row._asdict() for row in rows],
    'totals': summary.total(rows)._asdict(),
    'training_bytes': {
      'batch_size': _BATCH_SIZE.value,
      'precision': _PRECISION.value,
      **memory._asdict(),
      'total': memory.total,
    },
  }


def _print_rows(title: str, rows: list[summary.Row]) -> None:
  lines = []
  for row in rows:
    shape = 'x'.join(map(str, row.output_shape))
    millions = f'{row.multiply_adds / 1e6:,.1f}'
    numbers = [f'{number:,}' for number in (row.parameters + row.moving, row.receptive_field)]
    lines.append(
      [row.name, row.description, shape, numbers[0], millions, numbers[1], f'{row.stride}']
    )
  terminal_tables.print_table(_HEADINGS, lines, title, text_columns=2)


def _print_totals(rows: list[summary.Row], memory: step_memory.Memory) -> None:
  totals = summary.total(rows)
  print(f'Parameters     {totals.parameters:,}')
  print(f'  trained      {totals.trainable:,}')
  print(f'  not trained  {totals.not_trainable:,}')
  print(f'Multiply-adds  {totals.multiply_adds / 1e9:.2f} G per image')
  setting = f'at batch {_BATCH_SIZE.value}, {_PRECISION.value}'
  print(f'Training       {summary.format_bytes(memory.total)} {setting}')
  for name, size in memory._asdict().items():
    print(f'  {name:11}  {summary.format_bytes(size)}')


def run() -> None:
  """Entry point of the console command."""
  invocation.run(main)


if __name__ == '__main__':
  run()
