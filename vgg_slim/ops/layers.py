"""Layers on plain `tf.nn`: `conv_op`, `fc_op`, `mpool_op`, and functions that tf-slim layers share.

Every layer creates its variables `weights` and `biases` in a variable scope with its own name, like
slim, so that networks of both styles read the same checkpoints. Feature maps are NHWC float32.
"""

import zlib
from collections.abc import Callable
from typing import NamedTuple

from vgg_slim.compat import tf
from vgg_slim.constants import POOL_ROUNDINGS
from vgg_slim.errors import ConfigError
from vgg_slim.ops import variables

Activation = Callable[[tf.Tensor], tf.Tensor]


class DropoutSeed(NamedTuple):
  """Seed of dropout, which drops the same units however many micro-batches a batch is split into.

  Attributes:
    numbers: int32 or int64 [2]; equal numbers drop equal units.
    part: index of the micro-batch that this layer's input belongs to.
  """

  numbers: tf.Tensor
  part: int = 0


def conv_op(
  input_op: tf.Tensor,
  name: str,
  kh: int,
  kw: int,
  n_out: int,
  dh: int = 1,
  dw: int = 1,
  p: list[tf.Variable] | None = None,
  activation: Activation | None = tf.nn.relu,
  initializer: Callable | None = None,
) -> tf.Tensor:
  """Zero-padded ('SAME') convolution with bias.

  Args:
    input_op: float32 [N, H, W, C], input feature map.
    name: variable scope.
    kh: height of the kernel, in pixels.
    kw: width of the kernel, in pixels.
    n_out: number of output channels.
    dh: vertical stride.
    dw: horizontal stride.
    p: list to which the weights and biases are appended, as tutorials of TensorFlow 1 pass it from
      layer to layer; not needed, since `tf.trainable_variables()` has the same variables.
    activation: activation function; None for a linear layer.
    initializer: initializer of the weights; Glorot uniform by default. Biases start at 0.

  Returns:
    float32 [N, ceil(H / dh), ceil(W / dw), n_out].

  Raises:
    ConfigError: `p` is not a list.
  """
  _check_list(name, p)
  with tf.variable_scope(name):
    weights = variables.weights([kh, kw, input_op.shape[-1], n_out], initializer)
    net = tf.nn.conv2d(input_op, weights, strides=[1, dh, dw, 1], padding='SAME')
    return _finish(net, weights, 0.0, activation, p)


def fc_op(
  input_op: tf.Tensor,
  name: str,
  n_out: int,
  p: list[tf.Variable] | None = None,
  kernel: int | None = None,
  activation: Activation | None = tf.nn.relu,
  initializer: Callable | None = None,
  bias: float = 0.1,
) -> tf.Tensor:
  """Fully-connected layer on vectors, or sliding over a feature map.

  Args:
    input_op: float32 [N, n_in], or [N, H, W, C] together with `kernel`.
    name: variable scope.
    n_out: number of output units.
    p: list to which the weights and biases are appended, see `conv_op`.
    kernel: side of the window that slides over a feature map, in pixels; None for vectors.
    activation: activation function; None for logits.
    initializer: initializer of the weights; Glorot uniform by default.
    bias: initial value of the biases.

  Returns:
    float32 [N, n_out] for vectors, [N, H - kernel + 1, W - kernel + 1, n_out] for maps.

  Raises:
    ConfigError: `kernel` is missing for a feature map, or given for vectors, or `p` is not a list.
  """
  _check_list(name, p)
  if (input_op.shape.rank == 4) == (kernel is None):
    raise ConfigError(
      f'{name}: an input of shape {input_op.shape} cannot be combined with kernel={kernel!r}.'
    )
  with tf.variable_scope(name):
    n_in = input_op.shape[-1]
    if kernel is not None:
      weights = variables.weights([kernel, kernel, n_in, n_out], initializer)
      return _finish(sliding_fc(input_op, weights), weights, bias, activation, p)
    weights = variables.weights([n_in, n_out], initializer)
    return _finish(tf.matmul(input_op, weights), weights, bias, activation, p)


def mpool_op(
  input_op: tf.Tensor,
  name: str,
  kh: int = 2,
  kw: int = 2,
  dh: int = 2,
  dw: int = 2,
  rounding: str = POOL_ROUNDINGS[0],
) -> tf.Tensor:
  """Max pooling over windows that start at every dh-th row and dw-th column.

  Args:
    input_op: float32 [N, H, W, C], input feature map.
    name: name of the operation.
    kh: height of the window, in pixels.
    kw: width of the window, in pixels.
    dh: vertical stride.
    dw: horizontal stride.
    rounding: 'floor' ignores last rows and columns that do not fill a window, like Keras, torch and
      slim. 'ceil' pools them too, in windows that end at the border, like Caffe. The two differ if
      a side is not a multiple of the stride: five 2x2 pools reduce 230 px to 7 or to 8.

  Returns:
    float32 [N, h, w, C] with h = floor((H - kh) / dh) + 1 or ceil((H - kh) / dh) + 1.

  Raises:
    ConfigError: with 'ceil', a stride is larger than the window, so that the last window could be
      empty.
  """
  padding: str | list[list[int]] = 'VALID'
  if rounding == 'ceil':
    if dh > kh or dw > kw:
      raise ConfigError(
        f'{name}: rounding=ceil needs strides that are at most the window {kh}x{kw}, got {dh}x{dw}.'
      )
    # floor((H + d - 1 - k) / d) = ceil((H - k) / d); a max pool ignores its padding.
    padding = [[0, 0], [0, dh - 1], [0, dw - 1], [0, 0]]
  return tf.nn.max_pool2d(input_op, [1, kh, kw, 1], [1, dh, dw, 1], padding=padding, name=name)


def lrn_op(input_op: tf.Tensor, name: str) -> tf.Tensor:
  """Local response normalization as in the paper's A-LRN (2.1).

  n=5 neighbors, k=2, alpha=1e-4, beta=0.75 (Krizhevsky et al. 2012, 3.3); `alpha` of tf.nn has the
  same meaning as theirs and is not divided by n.
  """
  return tf.nn.lrn(input_op, depth_radius=2, bias=2.0, alpha=1e-4, beta=0.75, name=name)


def sliding_fc(
  feature_map: tf.Tensor, weights: tf.Tensor, fast_cpu_conv: bool = False
) -> tf.Tensor:
  """VALID stride-1 convolution, computed as one matrix product where that is equivalent.

  It is equivalent if the kernel covers the whole map or is 1x1. oneDNN repacks the 411 MB of
  VGG16's fc6 for every convolution but not for a matrix product: with batch 8 at 224 px on two
  cores, the forward pass runs at 5.6 instead of 4.7 images/s.

  Args:
    feature_map: float32 [N, H, W, C], input feature map.
    weights: float32 [k, k, C, n_out], kernel.
    fast_cpu_conv: whether to extract patches for other kernels, so that they also become a matrix
      product: VGG16 takes 315 instead of 425 ms for an image of 384 px.

  Returns:
    float32 [N, H - k + 1, W - k + 1, n_out].
  """
  kernel, _, n_in, n_out = weights.shape.as_list()
  rows = kernel * kernel * n_in
  if feature_map.shape.as_list()[1:3] == [kernel, kernel]:
    flat = tf.matmul(tf.reshape(feature_map, [-1, rows]), tf.reshape(weights, [rows, n_out]))
    return tf.reshape(flat, [-1, 1, 1, n_out])
  if kernel > 1 and not fast_cpu_conv:
    return tf.nn.conv2d(feature_map, weights, strides=1, padding='VALID')
  patches = feature_map
  if kernel > 1:
    window, one = [1, kernel, kernel, 1], [1, 1, 1, 1]
    patches = tf.image.extract_patches(feature_map, window, one, one, 'VALID')
  flat = tf.matmul(tf.reshape(patches, [-1, rows]), tf.reshape(weights, [rows, n_out]))
  return tf.reshape(flat, tf.concat([tf.shape(patches)[:3], [n_out]], 0))


def dropout_op(
  input_op: tf.Tensor,
  name: str,
  keep_prob: float | tf.Tensor,
  seed: DropoutSeed | tf.Tensor | None = None,
) -> tf.Tensor:
  """Inverted dropout.

  Args:
    input_op: float32 tensor of any shape.
    name: name scope; with the same seed, layers with different names drop different units.
    keep_prob: probability in (0, 1] that a unit is kept, a number or a float32 []; for the number 1
      `input_op` is returned.
    seed: seed for the batch, or only the numbers of a `DropoutSeed`; None to use the graph's seed.
  """
  if isinstance(keep_prob, (int, float)) and keep_prob == 1:
    return input_op
  if seed is None:
    return tf.nn.dropout(input_op, rate=1 - keep_prob, name=name)
  seed = seed if isinstance(seed, DropoutSeed) else DropoutSeed(seed)
  numbers = tf.convert_to_tensor(seed.numbers)
  numbers += tf.constant([zlib.crc32(name.encode()) % 2**31, 0], numbers.dtype)
  with tf.name_scope(name):
    drawn = _uniform_block(numbers, seed.part, tf.shape(input_op))
    return tf.where(drawn >= 1 - keep_prob, input_op * (1 / keep_prob), tf.zeros_like(input_op))


def _uniform_block(seed: tf.Tensor, index: int, shape: tf.Tensor) -> tf.Tensor:
  """Returns one of the equal blocks of what `tf.random.stateless_uniform` draws from `seed`.

  Philox generates four float32 values per counter, so a block can be drawn without those before it.
  When each of 16 micro-batches drew all blocks, dropout took 88 ms instead of 4.7 ms.

  Args:
    seed: int [2], seed of the draw.
    index: index of the block.
    shape: int32 [rank], shape of a block.

  Returns:
    float32 of `shape`, in [0, 1).
  """
  size = tf.reduce_prod(tf.cast(shape, tf.int64))
  first = index * size
  key, counter = tf.raw_ops.StatelessRandomGetKeyCounter(seed=seed)
  # Added as int64, for which every device has a kernel; the low word of a seed's counter is 0.
  counter = tf.bitcast(tf.bitcast(counter, tf.int64) + tf.stack([first // 4, 0]), tf.uint64)
  drawn = tf.raw_ops.StatelessRandomUniformV2(
    shape=[first % 4 + size], key=key, counter=counter, alg=tf.random.Algorithm.PHILOX.value
  )
  return tf.reshape(drawn[first % 4 :], shape)


def _finish(
  net: tf.Tensor,
  weights: tf.Variable,
  bias: float,
  activation: Activation | None,
  p: list[tf.Variable] | None,
) -> tf.Tensor:
  """Adds the bias, applies the activation function and appends both variables to `p`."""
  biases = variables.biases(net.shape[-1], tf.constant_initializer(bias))
  if p is not None:
    p += [weights, biases]
  net = tf.nn.bias_add(net, biases)
  return net if activation is None else activation(net)


def _check_list(name: str, p: object) -> None:
  if p is not None and not isinstance(p, list):
    raise ConfigError(
      f'{name}: p must be a list, to which weights and biases are appended, or None, got {p!r}.'
    )
