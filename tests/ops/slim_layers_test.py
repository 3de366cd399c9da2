import numpy as np
import pytest

from tests.ops.cross_replica_test import run as run_replicas
from tests.testing import assign, graph_session, random_values
from vgg_slim.compat import slim, tf
from vgg_slim.ops import cached_weights, slim_layers


def run_both(is_training, steps=2):
  """Results of our batch norm and slim's on the same input and variables, with `steps` updates."""
  images = np.random.default_rng(0).normal(3, 2, [4, 5, 6, 3]).astype(np.float32)
  results = []
  for layer, options in ((slim_layers.batch_norm, {}), (slim.batch_norm, {'scale': True})):
    with graph_session() as session:
      settings = {'decay': 0.9, 'epsilon': 1e-2, 'is_training': is_training, **options}
      net = layer(tf.constant(images), **settings)
      variables = {v.op.name: v for v in tf.global_variables()}
      shapes = {name: v.shape.as_list() for name, v in variables.items()}
      values = random_values(shapes)
      values['BatchNorm/moving_variance'] += 1
      assign(session, values)
      gradient = tf.gradients(tf.reduce_sum(net**3), list(tf.trainable_variables('BatchNorm/g')))
      got = session.run({'net': net, 'gradient': gradient[0]})
      for _ in range(steps):
        session.run(tf.get_collection(tf.GraphKeys.UPDATE_OPS))
      results.append({**got, **session.run(variables)})
  return results


class TestBatchNorm:
  @pytest.mark.parametrize('is_training', [False, True])
  def test_it_equals_that_of_slim(self, is_training):
    ours, slims = run_both(is_training)
    assert set(ours) == set(slims)
    for name in ours:
      # Both use the same kernel; only the order of products in the moving average may differ.
      np.testing.assert_allclose(ours[name], slims[name], rtol=1e-5, atol=1e-6, err_msg=name)

  def test_moving_averages_by_hand(self):
    x = np.float32([[1, 2, 3, 6]]).reshape(1, 2, 2, 1)  # mean 3, variance 14 / 3 for N - 1
    with graph_session() as session:
      slim_layers.batch_norm(tf.constant(x), decay=0.9, is_training=True)
      session.run(tf.global_variables_initializer())
      session.run(tf.get_collection(tf.GraphKeys.UPDATE_OPS))
      mean, variance = session.run(tf.global_variables('BatchNorm/moving'))
    assert mean[0] == pytest.approx(0.3, rel=1e-6)
    assert variance[0] == pytest.approx(0.9 * 1 + 0.1 * 14 / 3, rel=1e-6)

  def test_early_statistics_are_unbiased_by_hand(self):
    rng = np.random.default_rng(0)
    batches = rng.normal(5, 3, [400, 2, 3, 3, 1]).astype(np.float32)
    with graph_session() as session:
      images, count = tf.placeholder(tf.float32, batches.shape[1:]), tf.placeholder(tf.int64, [])
      slim_layers.batch_norm(images, decay=0.97, is_training=True, num_updates=count)
      session.run(tf.global_variables_initializer())
      expected = np.array([1e3, 1e3])  # the first batch replaces any initial value
      for number, batch in enumerate(batches):
        feeds = {images: batch, count: number}
        session.run(tf.get_collection(tf.GraphKeys.UPDATE_OPS), feeds)
        decay = min(0.97, number / (number + 9))  # 0.97 from the 292nd update on
        statistics = np.array([batch.mean(), batch.var(ddof=1)])
        expected = decay * expected + (1 - decay) * statistics
        if number in (0, 1, 50, 399):
          averages = np.ravel(session.run(tf.global_variables('BatchNorm/moving')))
          np.testing.assert_allclose(averages, expected, rtol=2e-6)

  @pytest.mark.parametrize(
    ('scopes', 'is_frozen'), [((), False), (('net/BatchNorm',), False), (('net/conv1',), True)]
  )
  def test_it_is_frozen_outside_the_trainable_scopes(self, scopes, is_frozen):
    x = np.random.default_rng(0).normal(3, 2, [4, 5, 6, 3]).astype(np.float32)
    with graph_session() as session, tf.variable_scope('net'):
      net = slim_layers.batch_norm(tf.constant(x), 0.9, 1e-2, True, scopes)
      session.run(tf.global_variables_initializer())
      got = session.run(net)
      assert len(tf.get_collection(tf.GraphKeys.UPDATE_OPS)) == (0 if is_frozen else 2)
    mean, variance = (0, 1) if is_frozen else (x.mean((0, 1, 2)), x.var((0, 1, 2)))
    np.testing.assert_allclose(got, (x - mean) / np.sqrt(variance + 1e-2), atol=1e-5)

  def test_over_all_replicas_equals_one_device(self):
    x = np.random.default_rng(0).normal(3, 2, [4, 5, 6, 3]).astype(np.float32)

    def build(images, across):
      net = slim_layers.batch_norm(
        tf.constant(images), 0.9, 1e-2, is_training=True, cross_replica=across
      )
      with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        return net, [v.read_value() for v in tf.global_variables('BatchNorm/moving')]

    ((net, averages),) = run_replicas(lambda index: build(x, False), 1)
    for count in (1, 2):
      parts = np.split(x, count)
      replicas = run_replicas(lambda index, parts=parts: build(parts[index], True), count)
      # float32 sums in another order.
      np.testing.assert_allclose(np.concatenate([part for part, _ in replicas]), net, atol=1e-5)
      for _, own in replicas:
        np.testing.assert_allclose(own, averages, rtol=1e-5)

  def test_a_bias_only_shifts_the_moving_mean(self):
    x = np.random.default_rng(0).normal(size=[4, 5, 6, 3]).astype(np.float32)

    def run(bias):
      with graph_session() as session:
        net = slim_layers.batch_norm(tf.constant(x), 0.0, biases=True, is_training=True)
        session.run(tf.global_variables_initializer())
        tf.global_variables('biases')[0].load([bias] * 3, session)
        session.run(tf.get_collection(tf.GraphKeys.UPDATE_OPS))
        return session.run([net, tf.global_variables('BatchNorm/moving_mean')[0]])

    (net, mean), (shifted_net, shifted_mean) = run(0), run(2)
    np.testing.assert_allclose(shifted_net, net, atol=1e-5)
    np.testing.assert_allclose(shifted_mean, mean + 2, atol=1e-5)


class TestConv2d:
  @pytest.mark.parametrize(('stride', 'padding'), [(1, 'SAME'), (2, 'SAME'), (2, 'VALID')])
  def test_it_equals_that_of_slim(self, stride, padding):
    images = np.random.default_rng(0).normal(size=[2, 7, 9, 3]).astype(np.float32)
    results = []
    for layer in (slim_layers.conv2d, slim.conv2d):
      with graph_session() as session:
        net = layer(tf.constant(images), 4, 3, stride, padding, scope='conv1')
        shapes = {v.op.name: v.shape.as_list() for v in slim.get_model_variables()}
        assign(session, random_values(shapes))
        results.append((shapes, session.run(net)))
    (shapes, net), (slims_shapes, slims_net) = results
    assert shapes == slims_shapes
    np.testing.assert_array_equal(net, slims_net)

  @pytest.mark.parametrize('cache_dtype', [None, tf.float32])
  def test_normalizer_params_reach_batch_norm_and_its_folding(self, cache_dtype):
    images = np.random.default_rng(0).normal(size=[2, 5, 6, 3]).astype(np.float32)
    with graph_session() as session:
      net = slim_layers.conv2d(
        tf.constant(images),
        4,
        3,
        activation_fn=None,
        normalizer_fn=slim_layers.batch_norm,
        normalizer_params={'epsilon': 0.5},
        fold_fn=slim_layers.fold_batch_norm,
        cache_dtype=cache_dtype,
        scope='conv1',
      )
      session.run(tf.global_variables_initializer())
      cached_weights.fill(session)
      kernel = tf.global_variables('conv1/weights')[0]
      plain = tf.nn.conv2d(images, kernel, strides=1, padding='SAME')
      got, plain = session.run([net, plain])
    # A new layer's moving mean is 0 and its variance 1.
    np.testing.assert_allclose(got, plain / np.sqrt(1 + 0.5), atol=1e-5)

  @pytest.mark.parametrize('cache_dtype', [None, tf.float32])
  def test_winograd_gives_the_same_values(self, cache_dtype):
    # Channels and tiles for which every processor uses it, the most in training with AVX-512.
    images = np.random.default_rng(0).normal(size=[4, 16, 16, 128]).astype(np.float32)
    with graph_session() as session:
      net = slim_layers.conv2d(
        tf.constant(images), 128, 3, cache_dtype=cache_dtype, fast_cpu_conv=True, scope='conv1'
      )
      kernel, bias = slim.get_model_variables()
      plain = tf.nn.relu(tf.nn.conv2d(images, kernel, strides=1, padding='SAME') + bias)
      session.run(tf.global_variables_initializer())
      cached_weights.fill(session)
      assert 'ExtractImagePatches' in {op.type for op in session.graph.get_operations()}
      got, plain = session.run([net, plain])
    # Winograd's rounding, see `winograd_test`.
    np.testing.assert_allclose(got, plain, atol=2e-5 * plain.max())


class TestFoldBatchNorm:
  @pytest.mark.parametrize('biases', [False, True])
  def test_the_folded_convolution_equals_the_two_layers(self, biases):
    settings = {'epsilon': 1e-2, 'biases': biases}
    with graph_session() as session:
      images = tf.constant(np.random.default_rng(0).normal(size=[2, 5, 6, 3]), tf.float32)
      kernel = tf.constant(np.random.default_rng(1).normal(size=[3, 3, 3, 4]), tf.float32)
      convolved = tf.nn.conv2d(images, kernel, strides=1, padding='SAME')
      expected = slim_layers.batch_norm(convolved, **settings)
      with tf.variable_scope(tf.get_variable_scope(), reuse=True):
        folded, bias = slim_layers.fold_batch_norm(kernel, **settings)
      got = tf.nn.conv2d(images, folded, strides=1, padding='SAME') + bias
      values = random_values({v.op.name: v.shape.as_list() for v in tf.global_variables()}, scale=1)
      values['BatchNorm/moving_variance'] = 0.5 + values['BatchNorm/moving_variance'] ** 2
      assign(session, values)
      got, expected = session.run([got, expected])
    # 27 products of O(1) values, rounded before or after scaling.
    np.testing.assert_allclose(got, expected, atol=1e-5)


class TestDropout:
  def test_only_training_drops(self):
    with graph_session():
      x = tf.ones([4])
      assert slim_layers.dropout(x, 0.5, is_training=False) is x
      assert slim_layers.dropout(x, 0.5, is_training=True) is not x

  def test_layers_with_different_names_drop_different_units(self):
    with graph_session() as session:
      seed = tf.constant([1, 2], tf.int64)
      layers = [slim_layers.dropout(tf.ones([99]), 0.5, True, seed, name) for name in 'aba']
      a, b, again = session.run(layers)
    np.testing.assert_array_equal(a, again)
    assert (a != b).any()


class TestSlidingFullyConnected:
  @pytest.mark.parametrize('cache_dtype', [None, tf.float32])
  @pytest.mark.parametrize('activation', [tf.nn.relu, None])
  def test_it_equals_the_convolution_of_slim(self, activation, cache_dtype):
    images = np.random.default_rng(0).normal(size=[2, 4, 5, 3]).astype(np.float32)
    results = []
    for layer, options in (
      (slim_layers.sliding_fully_connected, {'cache_dtype': cache_dtype}),
      (slim.conv2d, {'padding': 'VALID'}),
    ):
      with graph_session() as session:
        net = layer(tf.constant(images), 6, 3, activation_fn=activation, scope='fc6', **options)
        shapes = {v.op.name: v.shape.as_list() for v in slim.get_model_variables()}
        assign(session, random_values(shapes))
        cached_weights.fill(session)
        results.append(session.run(net))
    np.testing.assert_allclose(results[0], results[1], atol=1e-5)
    assert (results[0].min() == 0) == (activation is not None)

  def test_a_normalizer_replaces_the_bias(self):
    with graph_session():
      slim_layers.sliding_fully_connected(
        tf.zeros([1, 1, 1, 4]), 5, 1, normalizer_fn=slim_layers.batch_norm, scope='fc6'
      )
      names = sorted(v.op.name for v in tf.trainable_variables())
    assert names == ['fc6/BatchNorm/beta', 'fc6/BatchNorm/gamma', 'fc6/weights']
