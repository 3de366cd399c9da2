import importlib

import numpy as np
import pytest

from vgg_slim.compat import old_dimensions, tf

tensor_shape = importlib.import_module('tensorflow.python.framework.tensor_shape')


@pytest.fixture
def accepting(monkeypatch):
  monkeypatch.setattr(tensor_shape.Dimension, '__init__', tensor_shape.Dimension.__init__)
  old_dimensions.accept_whole_floats()


def test_whole_floats_are_sizes(accepting):
  assert tf.TensorShape([None, 4.0, np.float32(3)]).as_list() == [None, 4, 3]
  with tf.Graph().as_default():
    assert tf.placeholder(tf.float32, [8.0 / 2]).shape.as_list() == [4]


def test_other_floats_are_not(accepting):
  with pytest.raises(TypeError):
    tf.TensorShape([4.5])


def test_they_are_an_error_without_it():
  with pytest.raises(TypeError):
    tf.TensorShape([4.0])
