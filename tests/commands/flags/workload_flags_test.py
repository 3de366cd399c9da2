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
  """Workloads of the given flags, of which `forward` is the usual kind."""

  def read(*arguments, usual=('forward',)):
    flags.FLAGS(['benchmark', *arguments])
    return workload_flags.workloads(usual)

  with flagsaver.flagsaver():
    yield read


def test_every_kind_at_every_precision(read):
  loads = read('--what=forward,train_step', '--precision=float32,bfloat16', '--image_size=32')
  assert [(load.what, load.precision) for load in loads] == [
    ('forward', 'float32'),
    ('forward', 'bfloat16'),
    ('train_step', 'float32'),
    ('train_step', 'bfloat16'),
  ]
  assert {(load.image_size, load.batch_size) for load in loads} == {(32, 16)}


def test_conversions_have_sizes_of_their_own(workload_flags, read):
  (load,) = read()
  assert (load.what, load.image_size) == ('forward', 224)
  (load,) = read(usual=('convert',))
  assert (load.what, load.batch_size, load.image_size) == ('convert', 10_000, 8)
  assert workload_flags.size('num_batches', 'convert') == 5
  assert workload_flags.size('num_batches', 'forward') == 30
  (load,) = read('--batch_size=20', '--num_batches=1', usual=('convert',))
  assert load.batch_size == 20
  assert workload_flags.size('num_batches', 'convert') == 1


def test_a_data_set_knows_its_classes(read, tmp_path):
  folder, _ = make_data_set(tmp_path / 'data', per_class=4, num_classes=3)
  (load,) = read('--what=input', f'--data_dir={folder}')
  assert (load.num_classes, load.data_dir) == (3, folder)


def test_what_no_workload_can_have(read):
  with pytest.raises(ConfigError, match="what must be one of forward, .* got 'forwards'"):
    read('--what=forwards')
