"""3x3 convolutions by Winograd's minimal filtering F(4x4, 3x3), for float32 on CPUs.

A tile of 4x4 pixels takes 36 products per channel instead of 144 (Lavin & Gray, arXiv:1509.09308,
section 4): maps and kernels are transformed by small constant matrices, multiplied element by
element as 36 matrix products, and transformed back. oneDNN's convolutions run at the machine's peak
already, so the only way to be faster is to compute fewer products. `conv_thresholds` says for which
layers this pays off.

The transforms add numbers of different signs and magnitudes: errors are 1e-5 of the largest result,
compared with 1e-6 for a direct sum. In bfloat16 they would be 9 % (a direct sum: 0.3 %), so this is
only for float32.
"""

from collections.abc import Sequence

import numpy as np

from vgg_slim.compat import tf
from vgg_slim.ops import conv_thresholds

_TILE = conv_thresholds.WINOGRAD_TILE
_PATCH = 6  # side of the input patch that a tile depends on, in pixels

# Transforms for the interpolation points 0, 1, -1, 2, -2 and infinity. In one dimension,
# output = _OUTPUT @ ((_KERNEL @ kernel) * (_INPUT @ patch)).
_INPUT = [
  [4, 0, -5, 0, 1, 0],
  [0, -4, -4, 1, 1, 0],
  [0, 4, -4, -1, 1, 0],
  [0, -2, -1, 2, 1, 0],
  [0, 2, -1, -2, 1, 0],
  [0, 4, 0, -5, 0, 1],
]
_KERNEL: list[list[float]] = [
  [1 / 4, 0, 0],
  [-1 / 6, -1 / 6, -1 / 6],
  [-1 / 6, 1 / 6, -1 / 6],
  [1 / 24, 1 / 12, 1 / 6],
  [1 / 24, -1 / 12, 1 / 6],
  [0, 0, 1],
]
_ROTATED = [row[::-1] for row in _KERNEL]  # for the kernel rotated by 180 degrees
_OUTPUT = [
  [1, 1, 1, 1, 1, 0],
  [0, 1, -1, 2, -2, 0],
  [0, 1, 1, 4, 4, 0],
  [0, 1, -1, 8, -8, 1],
]


def is_faster(
  images: tf.Tensor, kernel_shape: Sequence[int], stride: int, padding: str, trains: bool = False
) -> bool:
  """Whether `convolve` supports this convolution and is faster than a direct one.

  Args:
    images: [N, H, W, C], input of the convolution; an unknown N counts as one image, unknown sides
      as large.
    kernel_shape: shape [kh, kw, C, K] of the kernel.
    stride: stride, in pixels.
    padding: 'SAME' or 'VALID'.
    trains: whether gradients count, or the forward pass alone.
  """
  count, height, width, _ = images.shape.as_list()
  return images.dtype == tf.float32 and conv_thresholds.is_winograd_faster(
    kernel_shape, stride, padding, (height or 32, width or 32), count or 1, trains
  )


def convolve(images: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
  """`tf.nn.conv2d(images, kernel, strides=1, padding='SAME')`, with both its gradients.

  Args:
    images: float32 [N, H, W, C], input of the convolution; N, H and W may be unknown.
    kernel: float32 [3, 3, C, K], kernel of the convolution.

  Returns:
    float32 [N, H, W, K].
  """

  @tf.custom_gradient
  def run(images: tf.Tensor, kernel: tf.Tensor):
    # Kept for the kernel's gradient, since recomputing it takes 8 % of a training step of VGG16.
    patches = _transform_patches(images)

    def gradients(grad: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
      kernel_gradient = _kernel_gradient(patches, grad, kernel.shape)
      # In sequence, since running both at once is not faster and needs twice the memory.
      with tf.control_dependencies([kernel_gradient]):
        images_gradient = _map_gradient(images, kernel, tf.identity(grad))
      return images_gradient, kernel_gradient

    # Not before: all kernels of VGG16 together are 236 MB when transformed.
    with tf.control_dependencies([patches]):
      transformed = transform_kernel(tf.identity(kernel))
    return _multiply(patches, transformed, _shape(images)), gradients

  with tf.name_scope('winograd'):
    return run(images, tf.convert_to_tensor(kernel))


def transform_kernel(kernel: tf.Tensor) -> tf.Tensor:
  """Transforms float32 [3, 3, C, K] to [36, C, K], which is four times as large."""
  return _transform(kernel, _KERNEL)


def convolve_transformed(images: tf.Tensor, transformed: tf.Tensor) -> tf.Tensor:
  """`convolve` with the result of `transform_kernel`, for graphs that never train.

  Its gradient is that of the single operations, which is slower than that of `convolve`.
  """
  with tf.name_scope('winograd'):
    return _multiply(_transform_patches(images), transformed, _shape(images))


def _transform(kernel: tf.Tensor, matrix: list) -> tf.Tensor:
  n_in, n_out = kernel.shape.as_list()[2:]
  return tf.reshape(_apply(matrix, kernel), [_PATCH**2, n_in, n_out])


def _multiply(
  patches: tf.Tensor, transformed: tf.Tensor, shape: list[int | tf.Tensor], transpose: bool = False
) -> tf.Tensor:
  """Maps [36, tiles, C] and [36, C, K] (or [36, K, C]) to feature maps [N, H, W, K] of `shape`."""
  count, height, width, _ = shape
  rows, columns = _num_tiles(height), _num_tiles(width)
  products = tf.matmul(patches, transformed, transpose_b=transpose)  # [36, tiles, K]
  n_out = products.shape[-1]
  tiles = tf.reshape(_apply(_OUTPUT, products), [_TILE, _TILE, count, rows, columns, n_out])
  maps = tf.transpose(tiles, [2, 3, 0, 4, 1, 5])
  maps = tf.reshape(maps, [count, rows * _TILE, columns * _TILE, n_out])
  return maps[:, :height, :width]


def _map_gradient(images: tf.Tensor, kernel: tf.Tensor, grad: tf.Tensor) -> tf.Tensor:
  """The gradient of `images`, by the way that is faster for so many channels."""
  if min(kernel.shape.as_list()[2:]) < conv_thresholds.current().map_gradient_channels:
    return tf.nn.conv2d_backprop_input(tf.shape(images), kernel, grad, [1] * 4, 'SAME')
  return _multiply(_transform_patches(grad), _transform(kernel, _ROTATED), _shape(grad), True)


def _kernel_gradient(patches: tf.Tensor, grad: tf.Tensor, shape: tf.TensorShape) -> tf.Tensor:
  """Maps the gradient of the output to that of the kernel, by transposing the transforms."""
  products = tf.matmul(patches, _transform_tiles(grad), transpose_a=True)
  return tf.reshape(_apply(np.transpose(_KERNEL), products), shape)


def _transform_patches(images: tf.Tensor) -> tf.Tensor:
  """Transforms [N, H, W, C] to [36, tiles, C], in patches that overlap by two pixels."""
  _, height, width, channels = _shape(images)
  below, right = (_num_tiles(side) * _TILE + 1 - side for side in (height, width))
  padded = tf.pad(images, [[0, 0], [1, below], [1, right], [0, 0]])
  patches = tf.image.extract_patches(
    padded, [1, _PATCH, _PATCH, 1], [1, _TILE, _TILE, 1], [1, 1, 1, 1], 'VALID'
  )
  by_position = tf.transpose(tf.reshape(patches, [-1, _PATCH**2, channels]), [1, 0, 2])
  return tf.reshape(_apply(_INPUT, by_position), [_PATCH**2, -1, channels])


def _transform_tiles(grad: tf.Tensor) -> tf.Tensor:
  """Transforms [N, H, W, K] to [36, tiles, K]; pixels of a tile beyond the border are zero."""
  count, height, width, channels = _shape(grad)
  rows, columns = _num_tiles(height), _num_tiles(width)
  below, right = rows * _TILE - height, columns * _TILE - width
  padded = tf.pad(grad, [[0, 0], [0, below], [0, right], [0, 0]])
  tiles = tf.reshape(padded, [count, rows, _TILE, columns, _TILE, channels])
  by_position = tf.transpose(tiles, [2, 4, 0, 1, 3, 5])
  return tf.reshape(_apply(np.transpose(_OUTPUT), by_position), [_PATCH**2, -1, channels])


def _apply(matrix: np.ndarray | list, positions: tf.Tensor) -> tf.Tensor:
  """Applies `matrix` [q, p] to both sides of [p, p, ...] or [p * p, ...]; returns [q * q, n]."""
  both_sides = tf.constant(np.kron(matrix, matrix), tf.float32)
  return tf.matmul(both_sides, tf.reshape(positions, [both_sides.shape[1], -1]))


def _shape(maps: tf.Tensor) -> list[int | tf.Tensor]:
  """Returns the dimensions, as integers where they are known."""
  dynamic = tf.unstack(tf.shape(maps))
  return [dynamic[i] if known is None else known for i, known in enumerate(maps.shape.as_list())]


def _num_tiles(side: int | tf.Tensor) -> int | tf.Tensor:
  return (side + _TILE - 1) // _TILE
