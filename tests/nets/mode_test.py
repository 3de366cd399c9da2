import pytest

from vgg_slim.compat import tf
from vgg_slim.errors import ConfigError
from vgg_slim.nets.mode import Inference, Training


def test_training_does_not_cache_weights():
  with pytest.raises(TypeError, match='cache_dtype'):
    Training(cache_dtype=tf.float32)


def test_inference_has_no_weight_decay():
  with pytest.raises(TypeError, match='weight_decay'):
    Inference(weight_decay=5e-4)


def test_negative_weight_decay_is_refused():
  with pytest.raises(ConfigError, match=r'weight_decay must be at least 0, got -0\.1'):
    Training(weight_decay=-0.1)


@pytest.mark.parametrize('dtype', [tf.bfloat16, tf.float16])
def test_fast_convolutions_are_for_float32(dtype):
  with pytest.raises(ConfigError, match=f'fast_cpu_conv is for float32, got.*{dtype.name}'):
    Inference(dtype, fast_cpu_conv=True)


def test_an_integer_cache_dtype_is_refused():
  with pytest.raises(ConfigError, match='cache_dtype must be float32, bfloat16 or float16'):
    Inference(tf.int8)


def test_an_unknown_rounding_is_refused():
  with pytest.raises(ConfigError, match="pool_rounding must be floor or ceil, got 'round'"):
    Inference(pool_rounding='round')


def test_fast_follows_the_precision_of_the_session():
  assert Inference.fast() == Inference(tf.float32, fast_cpu_conv=True)
  assert Inference.fast('bfloat16') == Inference(tf.bfloat16, fast_cpu_conv=False)


def test_exports_fold_batch_norm_and_use_standard_convolutions():
  assert Inference.export() == Inference(tf.float32, fast_cpu_conv=False)


def test_the_precision_of_the_session_is_that_of_the_cache():
  assert Inference().precision == Inference.export().precision == 'float32'
  assert Inference.fast('bfloat16').precision == 'bfloat16'
