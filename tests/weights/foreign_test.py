import numpy as np
import pytest

from vgg_slim.errors import CheckpointError
from vgg_slim.weights import foreign


@pytest.mark.parametrize(
  'name',
  [
    'global_step',
    'vgg_16/conv1/conv1_1/weights/Momentum',
    'vgg_16/fc8/biases/ExponentialMovingAverage',
    'resnet_v1_50/mean_rgb',
    'features.1.num_batches_tracked',
    'optimizer/vars/0',
    'beta1_power',
  ],
)
def test_training_state_is_recognized(name):
  assert foreign.is_bookkeeping(name)


@pytest.mark.parametrize(
  'name', ['vgg_16/conv1/conv1_1/weights', 'features.1.running_mean', 'block1_conv1/kernel']
)
def test_weights_are_not_training_state(name):
  assert not foreign.is_bookkeeping(name)


def test_floating_point_arrays_become_float32():
  converted = foreign.as_float32('f', {'half': np.float16([0.5]), 'double': np.float64([[2]])})
  assert [array.dtype for array in converted.values()] == [np.float32, np.float32]
  assert converted['double'].shape == (1, 1)


def test_all_integer_and_non_finite_arrays_are_listed():
  arrays = {'a': np.arange(3), 'b': np.float32([np.nan]), 'c': np.float32([1])}
  with pytest.raises(
    CheckpointError, match='f: expected finite.*a is int64; b holds values that are not finite'
  ):
    foreign.as_float32('f', arrays)


def test_a_long_reason_is_shortened():
  error = foreign.unreadable('f', 'an ONNX model', ValueError('x\n' * 500))
  assert str(error).startswith('f cannot be read as an ONNX model; is the file complete? x x')
  assert len(str(error)) < 300
