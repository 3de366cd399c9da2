import pytest

from benchmarks.gpu_check import rows, training
from benchmarks.gpu_check.rows import NotPossibleError, WrongResultError
from benchmarks.gpu_check.steps import Tolerance
from vgg_slim import sessions
from vgg_slim.compat import tf
from vgg_slim.training import optimizers

needs_bfloat16 = pytest.mark.skipif(
  sessions.computed_precision('bfloat16') != 'bfloat16',
  reason='TensorFlow computes in float32 on processors without AVX-512',
)


@pytest.fixture(autouse=True)
def tf32():
  """Restores the setting of the process."""
  enabled = tf.config.experimental.tensor_float_32_execution_enabled()
  yield
  tf.config.experimental.enable_tensor_float_32_execution(enabled)


@pytest.mark.parametrize(
  'name',
  [
    'batch_norm',
    pytest.param('bfloat16', marks=needs_bfloat16),
    'loss_scale',
    'two_logical_devices',
    'peak_memory',
  ],
)
def test_rows_that_a_cpu_can_run(check, name):
  values = getattr(training, f'check_{name}')(check)
  assert values['where'] == 'CPU'
  assert values['reason']


@pytest.mark.parametrize('name', ['tf32', 'float16', 'data_format', 'two_gpus'])
def test_rows_that_need_a_gpu(check, name):
  with pytest.raises(NotPossibleError, match='TensorFlow finds 0'):
    getattr(training, f'check_{name}')(check)


@pytest.mark.skipif(not needs_bfloat16.args[0], reason='this processor multiplies bfloat16')
def test_bfloat16_needs_a_processor_that_has_it(check):
  with pytest.raises(NotPossibleError, match='bfloat16 has no effect on this CPU: .* float32'):
    training.check_bfloat16(check)


def test_a_precision_without_effect_is_not_possible(check, monkeypatch):
  monkeypatch.setattr(training.devices, 'require_gpus', lambda: ['a card'])
  with pytest.raises(NotPossibleError, match='float16 has no effect on this CPU: .* float32'):
    training.check_float16(check)


def test_xla_that_compiles_nothing_is_wrong(check):
  # Without its environment variable XLA leaves CPUs alone.
  assert 'tf_xla_cpu_global_jit' in rows.BY_NAME['xla'].environment['TF_XLA_FLAGS']
  with pytest.raises(WrongResultError, match='XLA compiled nothing'):
    training.check_xla(check)


def test_an_update_that_is_not_skipped_is_wrong(check, monkeypatch):
  # A static scale never changes, and never skips.
  monkeypatch.setattr(optimizers, 'scale_loss', lambda optimizer: optimizer)
  with pytest.raises(WrongResultError, match='0 variables are named current_loss_scale'):
    training.check_loss_scale(check)


@needs_bfloat16
def test_bfloat16_differs_from_float32_by_more_than_its_tolerance(check, monkeypatch):
  monkeypatch.setitem(training._TOLERANCE, 'bfloat16', Tolerance(1e-4, 1e-3))
  with pytest.raises(WrongResultError, match='convolutions: .*bfloat16'):
    training.check_bfloat16(check)
