import numpy as np
import pytest

from tests.testing import graph_session
from vgg_slim.compat import tf
from vgg_slim.ops import conv_thresholds, fast_gradients


def gradients(override, shape, kernel_shape, **kwargs):
  rng = np.random.default_rng(0)
  with graph_session() as session:
    images = tf.constant(rng.normal(size=shape), tf.float32)
    kernel = tf.constant(rng.normal(size=kernel_shape), tf.float32)
    if override:
      with fast_gradients.fast_gradients():
        maps = tf.nn.conv2d(images, kernel, **{'strides': 1, 'padding': 'SAME', **kwargs})
    else:
      maps = tf.nn.conv2d(images, kernel, **{'strides': 1, 'padding': 'SAME', **kwargs})
    weights = tf.constant(rng.normal(size=maps.shape.as_list()), tf.float32)
    got = session.run(tf.gradients(maps * weights, [images, kernel]))
    return got, {op.type for op in tf.get_default_graph().get_operations()}


@pytest.mark.parametrize(
  ('shape', 'kernel_shape'),
  [
    ((2, 5, 7, 3), (3, 3, 3, 4)),
    ((1, 2, 2, 8), (3, 3, 8, 8)),
    ((2, 4, 4, 3), (1, 1, 3, 5)),
    ((1, 6, 6, 2), (5, 3, 2, 2)),
    ((2, 1, 2, 3), (5, 7, 3, 2)),  # taps that read only padding
    ((1, 8, 8, 2), (3, 3, 2, 2)),  # the largest map
  ],
)
def test_gradients_equal_tensorflows(shape, kernel_shape):
  fast, kinds = gradients(True, shape, kernel_shape)
  expected, _ = gradients(False, shape, kernel_shape)
  assert 'Conv2DBackpropFilter' not in kinds
  for a, b in zip(fast, expected, strict=True):
    # Sums of at most 70 float32 products of O(1) values in another order.
    np.testing.assert_allclose(a, b, rtol=0, atol=2e-5)


@pytest.mark.parametrize(('side', 'limit'), [(2, 4), (8, 64), (12, 144)])
def test_taps_are_for_maps_up_to_the_limit_of_the_processor(monkeypatch, side, limit):
  for pixels, by_taps in ((limit, True), (limit - 1, False)):
    thresholds = conv_thresholds.BY_KIND['avx2']._replace(taps_pixels=pixels)
    monkeypatch.setattr(conv_thresholds, 'current', lambda chosen=thresholds: chosen)
    shape = [2, side, side, 3]
    (_, got), kinds = gradients(True, shape, [3, 3, 3, 4])
    assert ('Conv2DBackpropFilter' not in kinds) == by_taps
    rng = np.random.default_rng(0)  # the numbers that `gradients` draws, in its order
    images, _, factors = (rng.normal(size=s) for s in (shape, [3, 3, 3, 4], [*shape[:3], 4]))
    padded = np.pad(images, [(0, 0), (1, 1), (1, 1), (0, 0)])
    expected = [
      [np.einsum('nhwc,nhwk->ck', padded[:, i : i + side, j : j + side], factors) for j in range(3)]
      for i in range(3)
    ]
    # Sums of at most 288 float32 products of O(1) values, against float64.
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
  ('shape', 'kwargs'),
  [
    ((1, 9, 8, 2), {}),
    ((1, 8, 8, 2), {'strides': 2}),
    ((1, 8, 8, 2), {'padding': 'VALID'}),
  ],
)
def test_other_convolutions_use_tensorflows_gradient(shape, kwargs):
  fast, kinds = gradients(True, shape, (3, 3, 2, 2), **kwargs)
  expected, _ = gradients(False, shape, (3, 3, 2, 2), **kwargs)
  assert 'Conv2DBackpropFilter' in kinds
  for a, b in zip(fast, expected, strict=True):
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize('kernel_shape', [(2, 3, 2, 2), (3, 2, 2, 2)])
def test_even_kernels_use_tensorflows_gradient(kernel_shape):
  """TensorFlow pads even kernels asymmetrically, so they have no center."""
  fast, kinds = gradients(True, (1, 5, 5, 2), kernel_shape)
  expected, _ = gradients(False, (1, 5, 5, 2), kernel_shape)
  assert 'Conv2DBackpropFilter' in kinds
  for a, b in zip(fast, expected, strict=True):
    np.testing.assert_array_equal(a, b)


def test_maps_of_unknown_sides_use_tensorflows_gradient():
  with tf.Graph().as_default(), fast_gradients.fast_gradients():
    images = tf.placeholder(tf.float32, [None, None, None, 2])
    kernel = tf.zeros([3, 3, 2, 2])
    tf.gradients(tf.nn.conv2d(images, kernel, strides=1, padding='SAME'), kernel)
    kinds = {op.type for op in tf.get_default_graph().get_operations()}
  assert 'Conv2DBackpropFilter' in kinds


@pytest.mark.parametrize('transpose_a', [False, True])
@pytest.mark.parametrize('transpose_b', [False, True])
def test_gradients_of_transposed_matrix_products(transpose_a, transpose_b):
  rng = np.random.default_rng(0)
  a, b, factors = (rng.normal(size=[4, 4]).astype('f') for _ in range(3))
  with graph_session() as session:
    inputs = [tf.constant(a), tf.constant(b)]
    with fast_gradients.fast_gradients():
      fast = tf.matmul(*inputs, transpose_a, transpose_b)
    plain = tf.matmul(*inputs, transpose_a, transpose_b)
    got, expected = session.run([tf.gradients(y * factors, inputs) for y in (fast, plain)])
  for one, other in zip(got, expected, strict=True):
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)  # sums of 4 products of O(1) values


def test_gradients_of_fully_connected_layers():
  rng = np.random.default_rng(0)
  x, w, factors = (rng.normal(size=size).astype('f') for size in ([5, 7], [7, 3], [5, 3]))
  with graph_session() as session:
    inputs, weights = tf.constant(x), tf.constant(w)
    with fast_gradients.fast_gradients():
      outputs = tf.matmul(inputs, weights)
    got = session.run(tf.gradients(outputs * factors, [inputs, weights]))
  for a, b in zip(got, (factors @ w.T, x.T @ factors), strict=True):
    np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)  # sums of up to 7 products of O(1) values


@pytest.mark.parametrize('shape', [(2, 3, 5, 4), (7, 4)])
def test_gradients_of_biases_are_sums(shape):
  rng = np.random.default_rng(0)
  x, factors = (rng.normal(size=shape).astype('f') for _ in range(2))
  with graph_session() as session:
    inputs = tf.placeholder(tf.float32, [None, *shape[1:]])
    biases = tf.constant(rng.normal(size=4), tf.float32)
    with fast_gradients.fast_gradients():
      outputs = tf.nn.bias_add(inputs, biases)
    of_inputs, of_biases = tf.gradients(outputs * factors, [inputs, biases])
    got = session.run([of_inputs, of_biases], {inputs: x})
  np.testing.assert_array_equal(got[0], factors)
  expected = factors.reshape(-1, 4).sum(0)
  np.testing.assert_allclose(got[1], expected, rtol=0, atol=1e-5)  # 30 terms of O(1)


def test_biases_in_the_order_of_gpus_have_tensorflows_gradient():
  with tf.Graph().as_default(), fast_gradients.fast_gradients():
    biases = tf.zeros([2])
    outputs = tf.nn.bias_add(tf.zeros([1, 2, 3, 3]), biases, data_format='NCHW')
    [gradient] = tf.gradients(outputs, biases)
  assert gradient.op.type == 'BiasAddGrad'
  assert gradient.op.get_attr('data_format') == b'NCHW'


def test_gradients_of_biases_keep_growing_in_bfloat16():
  # The mean of many gradients is not 0, and a sum in bfloat16 stops at 256 times a term: over these
  # TensorFlow's own gradient is off by half.
  factors = np.random.default_rng(0).normal(0.3, 1, [4, 56, 56, 16])
  with graph_session() as session:
    low = tf.cast(tf.constant(factors), tf.bfloat16)
    biases = tf.zeros([16], tf.bfloat16)
    with fast_gradients.fast_gradients():
      outputs = tf.nn.bias_add(tf.zeros_like(low), biases)
    got, terms = session.run([tf.gradients(outputs, biases, low)[0], low])
  expected = terms.astype(np.float64).reshape(-1, 16).sum(0)
  assert expected.min() > 3000
  np.testing.assert_allclose(got.astype(np.float64), expected, rtol=2**-8)  # the sum has 8 bits
