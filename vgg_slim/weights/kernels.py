"""Layout transforms between frameworks, from NumPy arrays to NumPy arrays.

Our layout is TensorFlow's: [kh, kw, in, out] (HWIO) for convolutions and for fully-connected
layers, where kh and kw are the side of the map that the layer reads. kernels_test.py checks for
each transform that the output of the layer stays the same.
"""

import numpy as np

Array = np.ndarray


def conv_oihw_to_hwio(kernel: Array) -> Array:
  """[out, in, kh, kw] of torch and ONNX -> [kh, kw, in, out]."""
  return kernel.transpose(2, 3, 1, 0)


def conv_hwio_to_oihw(kernel: Array) -> Array:
  """Inverse of `conv_oihw_to_hwio`."""
  return kernel.transpose(3, 2, 0, 1)


def linear_to_dense(matrix: Array) -> Array:
  """[out, in] of torch -> [in, out], which multiplies a row vector from the right."""
  return matrix.T


def dense_hwc_to_conv(matrix: Array, side: int) -> Array:
  """Converts a dense kernel over a map that is flattened with channels last, as in Keras.

  Args:
    matrix: dense kernel [side * side * channels, out].
    side: side of the map, in pixels.

  Returns:
    A kernel [side, side, channels, out], a view of `matrix` where NumPy allows it.
  """
  return matrix.reshape(side, side, -1, matrix.shape[1])


def conv_to_dense_hwc(kernel: Array) -> Array:
  """Inverse of `dense_hwc_to_conv`."""
  return kernel.reshape(-1, kernel.shape[3])


def dense_chw_to_conv(matrix: Array, side: int) -> Array:
  """Converts a dense kernel over a map that is flattened with channels first, as in torch.

  Args:
    matrix: dense kernel [channels * side * side, out].
    side: side of the map, in pixels.

  Returns:
    A kernel [side, side, channels, out].
  """
  return matrix.reshape(-1, side, side, matrix.shape[1]).transpose(1, 2, 0, 3)


def conv_to_dense_chw(kernel: Array) -> Array:
  """Inverse of `dense_chw_to_conv`."""
  return kernel.transpose(2, 0, 1, 3).reshape(-1, kernel.shape[3])


def swap_rgb_bgr(kernel: Array) -> Array:
  """Adapts a first convolution (HWIO) to images with the reverse order of channels."""
  return kernel[:, :, ::-1, :]


def divide_input_channels(kernel: Array, divisors: tuple[float, ...]) -> Array:
  """Adapts a first convolution to images that are no longer divided by `divisors`.

  The result is exact at the borders too, because padding with zeros commutes with the division.

  Args:
    kernel: kernel, float32 [kh, kw, in, out].
    divisors: one divisor per input channel, in the kernel's order, such as a standard deviation.
  """
  scale = np.asarray(divisors, np.float64)[:, np.newaxis]
  return (kernel / scale).astype(kernel.dtype)


def fold_bias_into_mean(moving_mean: Array, bias: Array) -> Array:
  """Returns the moving mean that absorbs a convolution's bias in front of the batch norm.

  gamma * (x + bias - mean) / s + beta == gamma * (x - (mean - bias)) / s + beta.
  """
  return moving_mean - bias


def move_epsilon(
  gamma: Array, moving_variance: Array, source_epsilon: float, target_epsilon: float
) -> tuple[Array, Array]:
  """Returns gamma and variance that give the same output with another epsilon.

  The variance absorbs the difference. Where that would make the variance negative, gamma absorbs
  it instead.

  Args:
    gamma: scale, float32 [channels].
    moving_variance: variance, float32 [channels], at least 0.
    source_epsilon: epsilon that was added to the given variance.
    target_epsilon: epsilon that will be added to the returned variance.

  Returns:
    Gamma and moving variance, float32 [channels]; the arguments themselves if the epsilons are
    equal.
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
