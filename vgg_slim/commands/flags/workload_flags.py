"""Flags of what a benchmark runs. Loads no TensorFlow."""

from collections.abc import Sequence

from absl import flags

from vgg_slim.benchmarks import workload
from vgg_slim.commands import invocation
from vgg_slim.constants import IMAGE_SIDE, NUM_IMAGENET_CLASSES
from vgg_slim.data import manifest as manifests
from vgg_slim.nets import net_spec

flags.disclaim_key_flags()

# Where no flag says: of conversions, which are whole runs, and of all else.
_OF_CONVERSIONS = {'batch_size': 10_000, 'image_size': 8, 'num_batches': 5}
_USUAL = {'batch_size': 16, 'image_size': IMAGE_SIDE, 'num_batches': 30}
_WITH_DATA = {'input', 'end_to_end'}


def define() -> None:
  """--what, network, sizes, precision, data."""
  flags.DEFINE_list(
    'what',
    None,
    f'With commas, of {", ".join(workload.KINDS)}. By default train_step; with --growth forward, '
    'or convert.',
  )
  flags.DEFINE_string('model', 'vgg16', 'Network, as of tools/train.')
  _define_size('batch_size', 'Pictures in a batch; for convert, in the data set.')
  _define_size('image_size', 'Side of the pictures, in pixels.')
  flags.DEFINE_integer('fc_units', net_spec.FC_UNITS, 'Units of fc6 and fc7.')
  flags.DEFINE_integer(
    'num_classes',
    NUM_IMAGENET_CLASSES,
    "Classes, where there is no data set; by default ImageNet's.",
  )
  flags.DEFINE_list('precision', ['float32'], f'With commas, of {", ".join(workload.PRECISIONS)}.')
  _define_size('num_batches', 'Batches to time.')
  flags.DEFINE_string(
    'data_dir', None, 'Converted data set, for input and end_to_end. By default the digits.'
  )


def _define_size(name: str, text: str) -> None:
  defaults = f'By default {_USUAL[name]}, for convert {_OF_CONVERSIONS[name]}.'
  flags.DEFINE_integer(name, None, f'{text} {defaults}', lower_bound=1)


def size(name: str, what: str) -> int:
  """The flag `name`, or its default for workloads of the kind `what`."""
  defaults = _OF_CONVERSIONS if what == 'convert' else _USUAL
  given = flags.FLAGS[name].value
  return defaults[name] if given is None else given


def workloads(default_kinds: Sequence[str]) -> list[workload.Workload]:
  """One for each kind and precision; of `default_kinds` without --what.

  Raises:
    ConfigError: a flag that no such workload can have.
    DataError: --data_dir holds no converted data set.
  """
  values = flags.FLAGS
  kinds = values['what'].value or default_kinds
  data_dir = values['data_dir'].value
  if data_dir is None and _WITH_DATA & set(kinds):
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
    )
    for what in kinds
    for precision in values['precision'].value
  ]


def _digits_dir() -> str:
  invocation.load_tensorflow()
  from vgg_slim.data.conversion import default_data

  return str(default_data.digits_folder(default_data.cache_folder()))
