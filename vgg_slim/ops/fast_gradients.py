"""Gradients that are faster than TensorFlow's on CPUs, and one that is more exact.

Convolution kernels over small maps: oneDNN's gradient is much slower than its forward pass. Over
the layers of VGG16 at 32 px, batch 32, float32 on two AVX2 cores, a step took 477 ms forward,
472 ms for the gradient of the maps and 1091 ms for that of the kernels. Computed as one matrix
product for each tap of the kernel, the last takes 422 ms. `conv_thresholds` says for which maps it
is faster.

Biases: TensorFlow adds up a map in its own precision. In bfloat16, with 8 significant bits, a sum
stops growing when it is 256 times as large as a term: over 112x112 pixels of 4 images a sum was off
by 87 %. A matrix product with ones adds up in float32, and is faster over large maps (decision
106).
"""

import contextlib
from collections.abc import Iterator

from vgg_slim.compat import tf
from vgg_slim.ops import conv_thresholds

_CONV2D = 'VggSlimConv2D'
_MATMUL = 'VggSlimMatMul'
_BIAS_ADD = 'VggSlimBiasAdd'


@contextlib.contextmanager
def fast_gradients() -> Iterator[None]:
  """Makes layers that are built in the block use the gradients of this module.

  The block has no effect if sessions may use a GPU, which has fast and exact gradients of its own.
  """
  if tf.config.get_visible_devices('GPU'):
    yield
    return
  overrides = {'Conv2D': _CONV2D, 'MatMul': _MATMUL, 'BiasAdd': _BIAS_ADD}
  with tf.get_default_graph().gradient_override_map(overrides):
    yield


@tf.RegisterGradient(_CONV2D)
def _conv2d_gradient(op: tf.Operation, grad: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
  images, kernel = op.inputs
  attributes = {
    'strides': op.get_attr('strides'),
    'padding': op.get_attr('padding').decode(),
    'data_format': op.get_attr('data_format').decode(),
    'dilations': op.get_attr('dilations'),
  }
  image_gradient = tf.nn.conv2d_backprop_input(tf.shape(images), kernel, grad, **attributes)
  if _is_small_map(images, kernel, attributes):
    return image_gradient, _kernel_gradient_by_taps(images, kernel, grad)
  return image_gradient, tf.nn.conv2d_backprop_filter(images, tf.shape(kernel), grad, **attributes)


@tf.RegisterGradient(_MATMUL)
def _matmul_gradient(op: tf.Operation, grad: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
  flags = [op.get_attr(name) for name in ('transpose_a', 'transpose_b')]
  inputs, weights = (_maybe_transpose(*pair) for pair in zip(op.inputs, flags, strict=True))
  # For a batch of 16 in float32, a product with the transposed weights of VGG16's fc6 takes 155 ms,
  # the einsum 27 ms.
  inputs_gradient = tf.einsum('nk,ck->nc', grad, weights)
  weights_gradient = tf.matmul(inputs, grad, transpose_a=True)
  return _maybe_transpose(inputs_gradient, flags[0]), _maybe_transpose(weights_gradient, flags[1])


@tf.RegisterGradient(_BIAS_ADD)
def _bias_add_gradient(op: tf.Operation, grad: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
  if op.get_attr('data_format') != b'NHWC':
    return grad, tf.raw_ops.BiasAddGrad(
      out_backprop=grad, data_format=op.get_attr('data_format').decode()
    )
  rows = tf.reshape(grad, [-1, grad.shape[-1]])
  ones = tf.ones([1, tf.shape(rows)[0]], grad.dtype)
  return grad, tf.reshape(tf.matmul(ones, rows), [-1])


def _maybe_transpose(matrix: tf.Tensor, transposed: bool) -> tf.Tensor:
  return tf.transpose(matrix) if transposed else matrix


def _is_small_map(images: tf.Tensor, kernel: tf.Tensor, attributes: dict) -> bool:
  """Whether it is a stride-1, zero-padded NHWC convolution with an odd kernel over a small map."""
  height, width = images.shape.as_list()[1:3]
  return (
    attributes['padding'] == 'SAME'
    and attributes['data_format'] == 'NHWC'
    and all(step == 1 for step in (*attributes['strides'], *attributes['dilations']))
    and all(side is not None and side % 2 == 1 for side in kernel.shape.as_list()[:2])
    and None not in (height, width)
    and height * width <= conv_thresholds.current().taps_pixels
  )


def _kernel_gradient_by_taps(images: tf.Tensor, kernel: tf.Tensor, grad: tf.Tensor) -> tf.Tensor:
  """Computes element [i, j] as the matrix product of the map shifted by (i, j) and `grad`.

  Args:
    images: float [N, H, W, C], input of the convolution.
    kernel: [kh, kw, C, K]; only its shape is used.
    grad: float [N, H, W, K], gradient of the output.
  """
  kh, kw, n_in, n_out = kernel.shape.as_list()
  taps = []
  for i in range(kh):
    for j in range(kw):
      inputs, outputs = _overlap(images, grad, i - kh // 2, j - kw // 2)
      taps.append(
        tf.matmul(
          tf.reshape(inputs, [-1, n_in]), tf.reshape(outputs, [-1, n_out]), transpose_a=True
        )
      )
  return tf.reshape(tf.stack(taps), kernel.shape)


def _overlap(
  images: tf.Tensor, grad: tf.Tensor, down: int, right: int
) -> tuple[tf.Tensor, tf.Tensor]:
  """Returns the pixels that a tap `down` and `right` of the center reads, and those it adds to.

  Pixels beyond the border are zero. Omitting them saves 20 of 36 products of a 3x3 kernel over a
  2x2 map, and 44 of 144 over a 4x4 map.
  """
  height, width = images.shape.as_list()[1:3]
  rows, columns = max(0, height - abs(down)), max(0, width - abs(right))
  top, left = max(0, down), max(0, right)
  inputs = images[:, top : top + rows, left : left + columns]
  top, left = max(0, -down), max(0, -right)
  return inputs, grad[:, top : top + rows, left : left + columns]
