"""Dimensions of shapes that are whole floats, as 224.0, which TensorFlow 1 accepted."""

import numpy as np
from tensorflow.python.framework import tensor_shape


def accept_whole_floats() -> None:
  """Makes shapes take whole floats, as those that the division of two sizes gives."""
  original = tensor_shape.Dimension.__init__

  def __init__(self: tensor_shape.Dimension, value: object) -> None:
    is_whole = isinstance(value, (float, np.floating)) and float(value).is_integer()
    original(self, int(value) if is_whole else value)  # type: ignore[call-overload]

  tensor_shape.Dimension.__init__ = __init__
