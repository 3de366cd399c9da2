import pytest
from absl import flags
from absl.testing import flagsaver

from tests.testing import make_data_set, own_flags
from vgg_slim.errors import ConfigError


@pytest.fixture(scope='module')
def workload_flags():
  with own_flags():
    from vgg_slim.commands.flags import workload_flags

    workload_flags.define()
    yield workload_flags


@pytest.fixture
def read(workload_flags):
  """Function from flags to workloads; `forward` is the default kind."""

  def read(*arguments, default_kinds=('forward',)):
    flags.FLAGS(['benchmark', *arguments])
    return workload_flags.workloads(default_kinds)

  with flagsaver.flagsaver():
    yield read


def test_there_is_a_workload_for_every_kind_and_precision(read):
  loads = read('--what=forward,train_step', '--precision=float32,bfloat16', '--image_size=32')
  assert [(load.what, load.precision) for load in loads] == [
    ('forward', 'float32'),
    ('forward', 'bfloat16'),
    ('train_step', 'float32'),
    ('train_step', 'bfloat16'),
  ]
  assert {(load.image_size, load.batch_size) for load in loads} == {(32, 16)}


def test_conversions_have_their_own_default_sizes(workload_flags, read):
  (load,) = read()
  assert (load.what, load.image_size) == ('forward', 224)
  (load,) = read(default_kinds=('convert',))
  assert (load.what, load.batch_size, load.image_size) == ('convert', 10_000, 8)
  assert workload_flags.size('num_batches', 'convert') == 5
  assert workload_flags.size('num_batches', 'forward') == 30
  (load,) = read('--batch_size=20', '--num_batches=1', default_kinds=('convert',))
  assert load.batch_size == 20
  assert workload_flags.size('num_batches', 'convert') == 1


def test_the_number_of_classes_comes_from_the_data_set(read, tmp_path):
  folder, _ = make_data_set(tmp_path / 'data', per_class=4, num_classes=3)
  (load,) = read('--what=input', f'--data_dir={folder}')
  assert (load.num_classes, load.data_dir) == (3, folder)


def test_an_unknown_kind_is_refused(read):
  with pytest.raises(ConfigError, match="what must be one of forward, .* got 'forwards'"):
    read('--what=forwards')
