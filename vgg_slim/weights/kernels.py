"""Layout transforms between frameworks: numpy arrays in, numpy arrays out.

Ours, as TensorFlow's: convolutions [kh, kw, in, out] (HWIO); fully-connected layers the same, with
the side of their window as kh and kw. KernelsTest proves each transform by the sum it must keep.
"""

import numpy as np

Array = np.ndarray


def conv_oihw_to_hwio(kernel: Array) -> Array:
  """torch's and ONNX's [out, in, kh, kw] -> [kh, kw, in, out]."""
  return kernel.transpose(2, 3, 1, 0)


def conv_hwio_to_oihw(kernel: Array) -> Array:
  """Inverse of `conv_oihw_to_hwio`."""
  return kernel.transpose(3, 2, 0, 1)


def linear_to_dense(matrix: Array) -> Array:
  """torch's [out, in] -> [in, out], the matrix that multiplies a row vector from the right."""
  return matrix.T


def dense_hwc_to_conv(matrix: Array, side: int) -> Array:
  """Dense kernel over a map flattened row by row, channels last, as Keras flattens it.

  Args:
    matrix: [side * side * channels, out].
    side: of the map, in pixels.

  Returns:
    [side, side, channels, out]; a view where numpy can.
  """
  return matrix.reshape(side, side, -1, matrix.shape[1])


def conv_to_dense_hwc(kernel: Array) -> Array:
  """[side, side, channels, out] -> [side * side * channels, out], inverse of the above."""
  return kernel.reshape(-1, kernel.shape[3])


def dense_chw_to_conv(matrix: Array, side: int) -> Array:
  """Dense kernel over a map flattened channel by channel, as torch flattens it.

  Args:
    matrix: [channels * side * side, out].
    side: of the map, in pixels.

  Returns:
    [side, side, channels, out].
  """
  return matrix.reshape(-1, side, side, matrix.shape[1]).transpose(1, 2, 0, 3)


def conv_to_dense_chw(kernel: Array) -> Array:
  """[side, side, channels, out] -> [channels * side * side, out], inverse of the above."""
  return kernel.transpose(2, 0, 1, 3).reshape(-1, kernel.shape[3])


def swap_rgb_bgr(kernel: Array) -> Array:
  """First convolution, HWIO, for pictures whose channels come in the reverse order."""
  return kernel[:, :, ::-1, :]


def divide_input_channels(kernel: Array, divisors: tuple[float, ...]) -> Array:
  """First convolution, HWIO, for pictures that are not divided by `divisors` any more.

  Exact at the borders too: zero padding stands for the same zero before and after the division.

  Args:
    kernel: float32 [kh, kw, in, out].
    divisors: one for each input channel, in the kernel's order; such as a standard deviation.
  """
  scale = np.asarray(divisors, np.float64)[:, np.newaxis]
  return (kernel / scale).astype(kernel.dtype)


def fold_bias_into_mean(moving_mean: Array, bias: Array) -> Array:
  """Moving mean for a convolution without the bias that stood in front of its batch norm.

  gamma * (x + bias - mean) / s + beta == gamma * (x - (mean - bias)) / s + beta.
  """
  return moving_mean - bias


def move_epsilon(
  gamma: Array, moving_variance: Array, source_epsilon: float, target_epsilon: float
) -> tuple[Array, Array]:
  """Scale and variance for batch norm with another epsilon and the same output.

  The variance takes up the difference; where that would make it negative, it stays and gamma takes
  it up.

  Args:
    gamma: float32 [channels].
    moving_variance: float32 [channels], at least 0.
    source_epsilon: added to the variance so far.
    target_epsilon: added to the variance from now on.

  Returns:
    gamma and moving variance, float32 [channels]; the very same if the epsilons are.
  """
  if source_epsilon == target_epsilon:
    return gamma, moving_variance
  variance = moving_variance.astype(np.float64)
  moved = variance + (source_epsilon - target_epsilon)
  factor = np.sqrt((variance + target_epsilon) / (variance + source_epsilon))
  negative = moved < 0
  return (
    np.where(negative, gamma * factor, gamma).astype(gamma.dtype),
    np.where(negative, variance, moved).astype(moving_variance.dtype),
  )
