"""Flags for the workloads that a benchmark runs. Loads no TensorFlow."""

from collections.abc import Sequence
from typing import Any

from absl import flags

from vgg_slim.benchmarks import workload
from vgg_slim.commands.flags import unused_flags
from vgg_slim.constants import FC_UNITS, IMAGE_SIDE, NUM_IMAGENET_CLASSES
from vgg_slim.data import manifest as manifests

flags.disclaim_key_flags()

# Default sizes for conversions, which convert a whole data set per batch, and for all other kinds.
_CONVERT_SIZES = {'batch_size': 10_000, 'image_size': 8, 'num_batches': 5}
_DEFAULT_SIZES = {'batch_size': 16, 'image_size': IMAGE_SIDE, 'num_batches': 30}
_NO_BUDGET = 'none'
_KINDS_WITH_DATA = {'input', 'end_to_end'}


def define() -> None:
  """Defines --what and the flags of network, sizes, precision and data."""
  flags.DEFINE_list(
    'what',
    None,
    f'Comma-separated kinds of work to measure: {", ".join(workload.KINDS)}. Defaults to '
    'train_step; with --growth, to forward or convert.',
  )
  flags.DEFINE_string('model', 'vgg16', 'Network, with a name that tools/train accepts.')
  _define_size('batch_size', 'Number of images per batch, or for convert in the data set.')
  _define_size('image_size', 'Side of the images, in pixels.')
  flags.DEFINE_integer('fc_units', FC_UNITS, 'Number of units of fc6 and fc7.')
  flags.DEFINE_integer(
    'num_classes',
    NUM_IMAGENET_CLASSES,
    'Number of classes; with a data set, that of the data set is used.',
  )
  flags.DEFINE_list(
    'precision',
    ['float32'],
    f'Comma-separated compute precisions: {", ".join(workload.PRECISIONS)}; float16 needs a GPU.',
  )
  flags.DEFINE_list(
    'memory_budget',
    [_NO_BUDGET],
    'Comma-separated memory budgets of train_step, such as none,3GB,2.8GB, which take turns; the '
    'peak of each is compared with its prediction.',
  )
  _define_size('num_batches', 'Number of batches to time.')
  flags.DEFINE_string(
    'data_dir',
    None,
    'Folder of a converted data set for input and end_to_end. Defaults to the handwritten digits.',
  )


def _define_size(name: str, text: str) -> None:
  defaults = f'Defaults to {_DEFAULT_SIZES[name]}, for convert to {_CONVERT_SIZES[name]}.'
  flags.DEFINE_integer(name, None, f'{text} {defaults}', lower_bound=1)


def size(name: str, what: str) -> int:
  """Returns the value of the flag `name`, or its default for workloads of the kind `what`."""
  defaults = _CONVERT_SIZES if what == 'convert' else _DEFAULT_SIZES
  given = flags.FLAGS[name].value
  return defaults[name] if given is None else given


def workloads(default_kinds: Sequence[str]) -> list[workload.Workload]:
  """Returns one workload for each kind, precision and memory budget.

  Args:
    default_kinds: kinds to measure if --what is not given.

  Raises:
    ConfigError: the value of a flag is invalid for such a workload.
    DataError: --data_dir does not contain a converted data set.
  """
  values: Any = flags.FLAGS
  unused_flags.check(values['model'].value)
  kinds = values['what'].value or default_kinds
  data_dir = values['data_dir'].value
  if data_dir is None and _KINDS_WITH_DATA & set(kinds):
    data_dir = _digits_dir()
  num_classes = values['num_classes'].value
  if data_dir:
    num_classes = manifests.read_manifest(data_dir).num_classes
  return [
    workload.Workload(
      what,
      values['model'].value,
      size('batch_size', what),
      size('image_size', what),
      num_classes,
      values['fc_units'].value,
      precision,
      data_dir=data_dir,
      memory_budget=None if budget == _NO_BUDGET else budget,
    )
    for what in kinds
    for precision in values['precision'].value
    for budget in values['memory_budget'].value
  ]


def _digits_dir() -> str:
  from vgg_slim.data.conversion import default_data

  return str(default_data.digits_folder(default_data.cache_folder()))
