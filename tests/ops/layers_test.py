import math
import zlib

import numpy as np
import pytest

from tests.evaluation import numpy_vgg
from tests.testing import graph_session
from vgg_slim.compat import tf
from vgg_slim.errors import ConfigError
from vgg_slim.ops import layers


def numpy_conv_same(x, w, b):
  """Stride-1 zero-padded convolution in plain loops."""
  n, height, width, _ = x.shape
  k = w.shape[0]
  padded = np.pad(x, [(0, 0), (k // 2, k // 2), (k // 2, k // 2), (0, 0)])
  out = np.zeros([n, height, width, w.shape[-1]])
  for i, row, col, c in np.ndindex(*out.shape):
    out[i, row, col, c] = np.sum(padded[i, row : row + k, col : col + k] * w[..., c]) + b[c]
  return out


def normal(*shape):
  return np.random.default_rng(0).normal(size=shape).astype(np.float32)


class TestConvOp:
  def test_it_equals_numpy_loops(self):
    x = normal(2, 5, 6, 3)
    with graph_session() as session:
      y = layers.conv_op(tf.constant(x), 'conv', 3, 3, 4)
      session.run(tf.global_variables_initializer())
      w, b = tf.global_variables()
      b.load([0.5, -0.5, 0.1, 0], session)
      got, w, b = session.run([y, w, b])
    # float32 sums of 27 products of O(1) values: 1e-5 is about ten times the rounding error.
    np.testing.assert_allclose(got, np.maximum(numpy_conv_same(x, w, b), 0), rtol=0, atol=1e-5)

  def test_strides_and_linear_output(self):
    x = normal(1, 5, 6, 3)
    with graph_session() as session:
      y = layers.conv_op(tf.constant(x), 'conv', 1, 1, 2, dh=2, dw=3, activation=None)
      session.run(tf.global_variables_initializer())
      got, w = session.run([y, tf.global_variables()[0]])
    np.testing.assert_allclose(got, x[:, ::2, ::3] @ w[0, 0], rtol=0, atol=1e-5)
    assert got.shape == (1, 3, 2, 2)
    assert got.min() < 0

  def test_glorot_range_and_zero_bias(self):
    with graph_session() as session:
      layers.conv_op(tf.zeros([1, 8, 8, 30]), 'conv', 3, 3, 50)
      session.run(tf.global_variables_initializer())
      w, b = session.run(tf.global_variables())
    limit = np.sqrt(6 / (9 * 30 + 9 * 50))
    # The largest of 13,500 uniform draws is not within 1 % of the limit with probability 1e-58.
    assert 0.99 * limit < np.abs(w).max() <= limit
    assert not b.any()


class TestFcOp:
  def test_it_multiplies_vectors(self):
    x = normal(3, 7)
    with graph_session() as session:
      y = layers.fc_op(tf.constant(x), 'fc', 5)
      session.run(tf.global_variables_initializer())
      got, w = session.run([y, tf.global_variables()[0]])
    np.testing.assert_allclose(got, np.maximum(x @ w + 0.1, 0), rtol=0, atol=1e-5)

  def test_maps_need_a_kernel_and_vectors_must_not_have_one(self):
    with graph_session():
      with pytest.raises(ConfigError, match='fc: an input .* kernel=None'):
        layers.fc_op(tf.zeros([1, 2, 2, 3]), 'fc', 5)
      with pytest.raises(ConfigError, match='fc: an input .* kernel=2'):
        layers.fc_op(tf.zeros([1, 12]), 'fc', 5, kernel=2)


class TestParameterList:
  """The argument `p` of the tutorials of TensorFlow 1, by name and by position."""

  def test_weights_and_biases_of_every_layer_are_appended_in_order(self):
    with tf.Graph().as_default():
      p = []
      net = layers.conv_op(
        tf.zeros([1, 4, 4, 3]), name='conv', kh=3, kw=3, n_out=2, dh=1, dw=1, p=p
      )
      net = layers.conv_op(net, 'conv2', 3, 3, 2, 1, 1, p)
      net = layers.mpool_op(net, name='pool', kh=2, kw=2, dw=2, dh=2)
      net = layers.fc_op(tf.reshape(net, [-1, 8]), 'fc', 5, p)
      layers.fc_op(net, name='fc2', n_out=5, p=p)
      assert p == tf.trainable_variables()
    names = [v.op.name for v in p]
    scopes = ('conv', 'conv2', 'fc', 'fc2')
    assert names == [f'{scope}/{name}' for scope in scopes for name in ('weights', 'biases')]

  def test_anything_but_a_list_is_refused(self):
    with tf.Graph().as_default(), pytest.raises(ConfigError, match='fc: p must be a list.*got 7'):
      layers.fc_op(tf.zeros([1, 7, 7, 3]), 'fc', 5, 7)


class TestSlidingFc:
  @pytest.mark.parametrize('side', [3, 5])
  @pytest.mark.parametrize('kernel', [1, 3])
  @pytest.mark.parametrize('fast_cpu_conv', [False, True])
  def test_equals_a_valid_convolution(self, side, kernel, fast_cpu_conv):
    x, w = normal(2, side, side, 4), normal(kernel, kernel, 4, 6)
    with graph_session() as session:
      got, expected = session.run(
        [
          layers.sliding_fc(tf.constant(x), tf.constant(w), fast_cpu_conv),
          tf.nn.conv2d(x, w, strides=1, padding='VALID'),
        ]
      )
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5)

  def test_a_kernel_that_covers_the_map_is_one_matrix_product(self):
    with graph_session():
      layers.sliding_fc(tf.zeros([2, 3, 3, 4]), tf.zeros([3, 3, 4, 6]))
      kinds = [op.type for op in tf.get_default_graph().get_operations()]
    assert 'MatMul' in kinds
    assert 'Conv2D' not in kinds

  @pytest.mark.parametrize('fast_cpu_conv', [False, True])
  def test_a_1x1_kernel_is_one_matrix_product_without_patches(self, fast_cpu_conv):
    with graph_session():
      layers.sliding_fc(tf.zeros([2, 5, 5, 4]), tf.zeros([1, 1, 4, 6]), fast_cpu_conv)
      kinds = {op.type for op in tf.get_default_graph().get_operations()}
    assert 'MatMul' in kinds
    assert not {'Conv2D', 'ExtractImagePatches'} & kinds

  @pytest.mark.parametrize('fast_cpu_conv', [False, True])
  def test_maps_of_unknown_sides(self, fast_cpu_conv):
    x, w = normal(2, 4, 5, 4), normal(3, 3, 4, 6)
    with graph_session() as session:
      images = tf.placeholder(tf.float32, [None, None, None, 4])
      scores = layers.sliding_fc(images, tf.constant(w), fast_cpu_conv)
      kinds = {op.type for op in session.graph.get_operations()}
      got = session.run(scores, {images: x})
    assert ('Conv2D' in kinds) is not fast_cpu_conv
    assert got.shape == (2, 2, 3, 6)
    np.testing.assert_allclose(got[1, 1, 2], np.tensordot(x[1, 1:4, 2:5], w, 3), rtol=0, atol=1e-5)


class TestMpoolOp:
  def test_it_rounds_down_and_takes_the_maximum(self):
    x = np.arange(25, dtype=np.float32).reshape(1, 5, 5, 1)
    with graph_session() as session:
      got = session.run(layers.mpool_op(tf.constant(x), 'pool'))
    np.testing.assert_array_equal(got[0, :, :, 0], [[6, 8], [16, 18]])

  @pytest.mark.parametrize(('kernel', 'stride'), [(2, 2), (3, 2), (3, 3), (2, 1)])
  @pytest.mark.parametrize('known', [True, False])
  @pytest.mark.parametrize('shape', [(2, 5, 7, 3), (1, 6, 9, 2), (1, 8, 8, 1), (1, 3, 4, 2)])
  def test_floor_and_ceil_equal_numpy_loops(self, shape, kernel, stride, known):
    x = normal(*shape) - 5  # all values are below those of zero padding
    with graph_session() as session:
      fed = tf.placeholder(tf.float32, shape if known else [None, None, None, shape[3]])
      sizes = [kernel, kernel, stride, stride]
      pooled = {r: layers.mpool_op(fed, f'pool_{r}', *sizes, r) for r in ('floor', 'ceil')}
      got = session.run(pooled, {fed: x})
    for rounding, expected in (('floor', math.floor), ('ceil', math.ceil)):
      expected = numpy_vgg.pool(x, kernel, stride, expected)
      np.testing.assert_array_equal(got[rounding], expected)

  def test_sides_of_the_papers_pools_in_caffe(self):
    with graph_session():
      net, sides = tf.zeros([1, 230, 230, 1]), []
      for i in range(5):
        net = layers.mpool_op(net, f'pool{i}', rounding='ceil')
        sides.append(net.shape[1])
    assert sides == [115, 58, 29, 15, 8]

  def test_the_gradient_of_ceil_goes_to_the_maximum(self):
    x = np.arange(9, dtype=np.float32).reshape(1, 3, 3, 1)
    with graph_session() as session:
      fed = tf.constant(x)
      pooled = layers.mpool_op(fed, 'pool', rounding='ceil')
      got = session.run(tf.gradients(pooled, fed)[0])
    np.testing.assert_array_equal(got[0, :, :, 0], [[0, 0, 0], [0, 1, 1], [0, 1, 1]])

  def test_ceil_with_strides_larger_than_the_window_is_refused(self):
    with graph_session(), pytest.raises(ConfigError, match='pool: rounding=ceil needs strides'):
      layers.mpool_op(tf.zeros([1, 4, 4, 1]), 'pool', 1, 1, rounding='ceil')


class TestLrnOp:
  def test_it_equals_the_formula(self):
    x = normal(1, 2, 2, 9)
    with graph_session() as session:
      got = session.run(layers.lrn_op(tf.constant(x), 'lrn'))
    expected = np.empty_like(x)
    for c in range(9):
      neighbors = x[..., max(0, c - 2) : c + 3]
      expected[..., c] = x[..., c] / (2 + 1e-4 * np.sum(neighbors**2, -1)) ** 0.75
    np.testing.assert_allclose(got, expected, rtol=1e-5)


class TestDropoutOp:
  def test_the_right_fraction_of_units_is_kept_and_scaled(self):
    with graph_session() as session:
      y = session.run(layers.dropout_op(tf.ones([100, 100]), 'dropout', 0.8))
    assert set(np.unique(y)) == {np.float32(0), np.float32(1.25)}
    # Five standard deviations of the fraction in 10,000 draws are 0.02.
    assert abs(np.mean(y > 0) - 0.8) < 0.02

  def test_the_same_seed_drops_the_same_units(self):
    with graph_session() as session:
      seed = tf.placeholder(tf.int64, [2])
      y = layers.dropout_op(tf.ones([100]), 'dropout', 0.5, seed)
      first, again, other = (session.run(y, {seed: s}) for s in ([0, 7], [0, 7], [0, 8]))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()

  def test_layers_with_different_names_drop_different_units(self):
    with graph_session() as session:
      seed = tf.constant([0, 7], tf.int64)
      drops = [layers.dropout_op(tf.ones([100]), name, 0.5, seed) for name in ('fc6', 'fc7')]
      fc6, fc7 = session.run(drops)
    # 100 units agree by chance with probability 2**-100.
    assert (fc6 != fc7).any()

  def test_keep_prob_1_adds_no_operation(self):
    with graph_session():
      x = tf.ones([2])
      assert layers.dropout_op(x, 'dropout', 1.0) is x
      assert layers.dropout_op(x, 'dropout', 1, tf.constant([0, 7], tf.int64)) is x

  @pytest.mark.parametrize('shape', [(6, 5), (6, 1, 1, 64), (6, 7)])
  def test_micro_batches_drop_what_tensorflow_drops_in_the_whole_batch(self, shape):
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    numbers = np.array([3, 4])

    def drop(rows, part):
      with graph_session() as session:
        seed = layers.DropoutSeed(tf.constant(numbers, tf.int64), part)
        return session.run(layers.dropout_op(tf.constant(rows), 'dropout', 0.7, seed))

    with graph_session() as session:
      seed = tf.constant(numbers + [zlib.crc32(b'dropout') % 2**31, 0])
      whole = session.run(tf.nn.experimental.stateless_dropout(x, 1 - 0.7, seed))
    parts = [drop(x[2 * k : 2 * k + 2], k) for k in range(3)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    np.testing.assert_array_equal(drop(x, 0), whole)

  def test_a_micro_batch_draws_only_its_own_rows(self):
    with graph_session() as session:
      seed = layers.DropoutSeed(tf.constant([3, 4], tf.int64), part=15)
      layers.dropout_op(tf.ones([2, 4096]), 'dropout', 0.5, seed)
      operations = tf.get_default_graph().get_operations()
      (draw,) = (op for op in operations if op.type.startswith('StatelessRandomUniform'))
      assert session.run(draw.outputs[0]).size == 2 * 4096

  def test_the_gradient_passes_only_kept_units(self):
    with graph_session() as session:
      x = tf.ones([8, 8])
      y = layers.dropout_op(x, 'dropout', 0.5, tf.constant([1, 2], tf.int64))
      value, gradient = session.run([y, tf.gradients(y, x)[0]])
    np.testing.assert_array_equal(gradient, value)
