"""3x3 convolutions by Winograd's minimal filtering F(4x4, 3x3), for float32 on CPUs.

Four by four pixels of a map take 36 products a channel and not 144 (Lavin & Gray, arXiv:1509.09308,
section 4): maps and kernels are transformed by small constant matrices, multiplied position by
position as 36 matrix products, and transformed back. oneDNN's convolutions run at the machine's
peak, so that fewer products are the one way to be faster; decision 48 says for which layers.

The transforms add numbers of both signs and other sizes: results are off by 1e-5 of the largest one
where a direct sum is off by 1e-6. In bfloat16 they would be off by 9 % (a direct sum: 0.3 %), so
this is for float32 alone.
"""

from collections.abc import Sequence

import numpy as np

from vgg_slim.compat import tf

_TILE = 4  # pixels of an output tile
_PATCH = 6  # pixels of the input it depends on

# With the interpolation points 0, 1, -1, 2, -2 and infinity, one dimension of
# output = _OUTPUT @ ((_KERNEL @ kernel) * (_INPUT @ patch)).
_INPUT = [
  [4, 0, -5, 0, 1, 0],
  [0, -4, -4, 1, 1, 0],
  [0, 4, -4, -1, 1, 0],
  [0, -2, -1, 2, 1, 0],
  [0, 2, -1, -2, 1, 0],
  [0, 4, 0, -5, 0, 1],
]
_KERNEL = [
  [1 / 4, 0, 0],
  [-1 / 6, -1 / 6, -1 / 6],
  [-1 / 6, 1 / 6, -1 / 6],
  [1 / 24, 1 / 12, 1 / 6],
  [1 / 24, -1 / 12, 1 / 6],
  [0, 0, 1],
]
_TURNED = [row[::-1] for row in _KERNEL]  # of the kernel turned by half a circle
_OUTPUT = [
  [1, 1, 1, 1, 1, 0],
  [0, 1, -1, 2, -2, 0],
  [0, 1, 1, 4, 4, 0],
  [0, 1, -1, 8, -8, 1],
]

# Below these the transforms cost what the products save; see docs/decisions/0048.
_LEAST_CHANNELS = 128
_LEAST_TILES = 16


def pays(images: tf.Tensor, kernel_shape: Sequence[int], stride: int, padding: str) -> bool:
  """Whether `convolve` takes these and is faster than a direct convolution.

  Args:
    images: [N, H, W, C]; an unknown N counts as one picture, unknown sides as large.
    kernel_shape: [kh, kw, C, K].
    stride: in pixels.
    padding: 'SAME' or 'VALID'.
  """
  count, height, width, _ = images.shape.as_list()
  tiles = (count or 1) * _num_tiles(height or 32) * _num_tiles(width or 32)
  return (
    [*kernel_shape[:2], stride, padding, images.dtype] == [3, 3, 1, 'SAME', tf.float32]
    and min(kernel_shape[2:]) >= _LEAST_CHANNELS
    and min(height or _TILE, width or _TILE) >= _TILE
    and tiles >= _LEAST_TILES
  )


def convolve(images: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
  """`tf.nn.conv2d(images, kernel, strides=1, padding='SAME')`, with both its gradients.

  Args:
    images: float32 [N, H, W, C]; N, H and W may be unknown.
    kernel: float32 [3, 3, C, K].

  Returns:
    float32 [N, H, W, K].
  """

  @tf.custom_gradient
  def run(images: tf.Tensor, kernel: tf.Tensor):
    # Kept for the kernel's gradient: made again it would take 8 % of a training step of VGG16.
    patches = _transform_patches(images)

    def gradients(grad: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
      kernel_gradient = _kernel_gradient(patches, grad, kernel.shape)
      # One after the other: side by side they only take turns, with twice the memory.
      with tf.control_dependencies([kernel_gradient]):
        images_gradient = _multiply(
          _transform_patches(tf.identity(grad)), _transform(kernel, _TURNED), _shape(grad), True
        )
      return images_gradient, kernel_gradient

    return _multiply(patches, transform_kernel(kernel), _shape(images)), gradients

  with tf.name_scope('winograd'):
    return run(images, tf.convert_to_tensor(kernel))


def transform_kernel(kernel: tf.Tensor) -> tf.Tensor:
  """float32 [3, 3, C, K] to [36, C, K], four times its size."""
  return _transform(kernel, _KERNEL)


def convolve_transformed(images: tf.Tensor, transformed: tf.Tensor) -> tf.Tensor:
  """`convolve` with a kernel of `transform_kernel`, for graphs that never train.

  Its gradient is TensorFlow's, of all the operations, and slower than that of `convolve`.
  """
  with tf.name_scope('winograd'):
    return _multiply(_transform_patches(images), transformed, _shape(images))


def _transform(kernel: tf.Tensor, matrix: list) -> tf.Tensor:
  n_in, n_out = kernel.shape.as_list()[2:]
  return tf.reshape(_apply(matrix, kernel), [_PATCH**2, n_in, n_out])


def _multiply(
  patches: tf.Tensor, transformed: tf.Tensor, shape: list[int | tf.Tensor], transpose: bool = False
) -> tf.Tensor:
  """From [36, tiles, C] and [36, C, K], or [36, K, C], to the maps [N, H, W, K] of `shape`."""
  count, height, width, _ = shape
  rows, columns = _num_tiles(height), _num_tiles(width)
  products = tf.matmul(patches, transformed, transpose_b=transpose)  # [36, tiles, K]
  n_out = products.shape[-1]
  tiles = tf.reshape(_apply(_OUTPUT, products), [_TILE, _TILE, count, rows, columns, n_out])
  maps = tf.transpose(tiles, [2, 3, 0, 4, 1, 5])
  maps = tf.reshape(maps, [count, rows * _TILE, columns * _TILE, n_out])
  return maps[:, :height, :width]


def _kernel_gradient(patches: tf.Tensor, grad: tf.Tensor, shape: tf.TensorShape) -> tf.Tensor:
  """The transforms of `convolve` transposed: from the gradient of maps to that of the kernel."""
  products = tf.matmul(patches, _transform_tiles(grad), transpose_a=True)
  return tf.reshape(_apply(np.transpose(_KERNEL), products), shape)


def _transform_patches(images: tf.Tensor) -> tf.Tensor:
  """[N, H, W, C] to [36, tiles, C], of patches that overlap by two pixels."""
  _, height, width, channels = _shape(images)
  below, right = (_num_tiles(side) * _TILE + 1 - side for side in (height, width))
  padded = tf.pad(images, [[0, 0], [1, below], [1, right], [0, 0]])
  patches = tf.image.extract_patches(
    padded, [1, _PATCH, _PATCH, 1], [1, _TILE, _TILE, 1], [1, 1, 1, 1], 'VALID'
  )
  by_position = tf.transpose(tf.reshape(patches, [-1, _PATCH**2, channels]), [1, 0, 2])
  return tf.reshape(_apply(_INPUT, by_position), [_PATCH**2, -1, channels])


def _transform_tiles(grad: tf.Tensor) -> tf.Tensor:
  """[N, H, W, K] to [36, tiles, K]; what a tile has beyond the border adds nothing."""
  count, height, width, channels = _shape(grad)
  rows, columns = _num_tiles(height), _num_tiles(width)
  below, right = rows * _TILE - height, columns * _TILE - width
  padded = tf.pad(grad, [[0, 0], [0, below], [0, right], [0, 0]])
  tiles = tf.reshape(padded, [count, rows, _TILE, columns, _TILE, channels])
  by_position = tf.transpose(tiles, [2, 4, 0, 1, 3, 5])
  return tf.reshape(_apply(np.transpose(_OUTPUT), by_position), [_PATCH**2, -1, channels])


def _apply(matrix: np.ndarray | list, positions: tf.Tensor) -> tf.Tensor:
  """The transform `matrix` along both sides of [p, p, ...] or [p * p, ...]; [q * q, all else]."""
  both_sides = tf.constant(np.kron(matrix, matrix), tf.float32)
  return tf.matmul(both_sides, tf.reshape(positions, [both_sides.shape[1], -1]))


def _shape(maps: tf.Tensor) -> list[int | tf.Tensor]:
  """The dimensions as numbers, where they are known."""
  dynamic = tf.unstack(tf.shape(maps))
  return [dynamic[i] if known is None else known for i, known in enumerate(maps.shape.as_list())]


def _num_tiles(side: int | tf.Tensor) -> int | tf.Tensor:
  return (side + _TILE - 1) // _TILE
