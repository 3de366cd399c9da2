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
def test_bookkeeping_is_known(name):
  assert foreign.is_bookkeeping(name)


@pytest.mark.parametrize(
  'name', ['vgg_16/conv1/conv1_1/weights', 'features.1.running_mean', 'block1_conv1/kernel']
)
def test_weights_are_not_bookkeeping(name):
  assert not foreign.is_bookkeeping(name)


def test_numbers_become_float32():
  got = foreign.as_float32('f', {'half': np.float16([0.5]), 'double': np.float64([[2]])})
  assert [array.dtype for array in got.values()] == [np.float32, np.float32]
  assert got['double'].shape == (1, 1)


def test_what_is_no_finite_number_is_listed_at_once():
  arrays = {'a': np.arange(3), 'b': np.float32([np.nan]), 'c': np.float32([1])}
  with pytest.raises(
    CheckpointError, match='f: expected finite.*a is int64; b holds values that are not finite'
  ):
    foreign.as_float32('f', arrays)


def test_a_long_reason_is_cut():
  error = foreign.unreadable('f', 'an ONNX model', ValueError('x\n' * 500))
  assert str(error).startswith('f cannot be read as an ONNX model; is it whole? x x')
  assert len(str(error)) < 300
