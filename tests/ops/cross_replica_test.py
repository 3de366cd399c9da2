"""Cross-replica sums and batch norm on logical CPU devices in this process."""

import numpy as np
import pytest

from vgg_slim.compat import tf
from vgg_slim.ops import slim_layers
from vgg_slim.ops.cross_replica import cross_replica_sum, cross_replica_sums
from vgg_slim.ops.fast_gradients import fast_gradients


def run(build_fn, num_replicas, seed=0):
  """Returns the values of `build_fn(index)` for every replica."""
  with tf.Graph().as_default():
    devices = [f'/cpu:{i}' for i in range(num_replicas)]
    strategy = tf.distribute.MirroredStrategy(devices)
    with strategy.scope():
      tf.set_random_seed(seed)

      def build():
        context = tf.distribute.get_replica_context()
        return build_fn(int(tf.get_static_value(context.replica_id_in_sync_group)))

      results = strategy.run(build)
      local = [strategy.experimental_local_results(one) for one in tf.nest.flatten(results)]
      with tf.Session(config=tf.ConfigProto(device_count={'CPU': num_replicas})) as session:
        session.run(tf.global_variables_initializer())
        values = session.run(local)
  return [tf.nest.pack_sequence_as(results, one) for one in zip(*values, strict=True)]


def test_several_tensors_are_summed():
  def build(index):
    return cross_replica_sums([tf.constant([1.0, index]), tf.constant(10.0 * index)])

  for first, second in run(build, 3):
    np.testing.assert_array_equal(first, [3, 0 + 1 + 2])
    assert second == 30


def test_the_gradient_sums_over_the_losses_of_all_replicas():
  # The loss of replica r is (r + 1) * s**2 for s = x_0 + x_1; the sum of the losses is 3 * s**2,
  # whose gradient is 6 * s in both replicas.
  def build(index):
    x = tf.constant([2.0, 3.0][index])
    loss = (index + 1) * cross_replica_sum(x) ** 2
    return tf.gradients(loss, x)[0]

  assert run(build, 2) == [30, 30]


@pytest.mark.parametrize('num_replicas', [2, 4])
def test_batch_norm_over_all_replicas_equals_that_of_one_device(num_replicas):
  rng = np.random.default_rng(0)
  images = rng.normal(5, 1, [8, 5, 5, 2]).astype(np.float32)
  weights = rng.normal(size=[8, 5, 5, 3]).astype(np.float32)

  def build(index, count, sync):
    def share(values):
      return tf.constant(np.split(values, count)[index])

    kernel = tf.get_variable('kernel', [3, 3, 2, 3], initializer=tf.glorot_uniform_initializer())
    net = tf.nn.conv2d(share(images), kernel, 1, 'SAME')
    net = slim_layers.batch_norm(net, 0.9, 1e-3, is_training=True, cross_replica=sync)
    loss = tf.reduce_sum(net**2 * share(weights))
    optimizer = tf.train.GradientDescentOptimizer(1.0)
    gradients = [g for g, _ in optimizer.compute_gradients(loss)]
    gradients = cross_replica_sums(gradients)
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
      moving = [v.read_value() for v in tf.global_variables('BatchNorm/moving')]
    return net, gradients, moving

  with fast_gradients():
    (net, gradients, moving) = run(lambda index: build(0, 1, False), 1)[0]
    replicas = run(lambda index: build(index, num_replicas, True), num_replicas)
  # float32 sums in another order; values are of order 1, gradients of order 100.
  np.testing.assert_allclose(np.concatenate([one[0] for one in replicas]), net, atol=2e-6)
  for one in replicas:
    for expected, got in zip(gradients + moving, one[1] + one[2], strict=True):
      np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-4)
