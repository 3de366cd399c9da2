import numpy as np

from tests.testing import graph_session
from vgg_slim.compat import slim, tf
from vgg_slim.ops import layers, slim_layers, variables


def test_defaults():
  with graph_session() as session, tf.variable_scope('a'):
    created = [variables.weights([1, 1, 300, 100]), variables.biases(7)]
    session.run(tf.global_variables_initializer())
    weights, biases = session.run(created)
  assert [v.op.name for v in created] == ['a/weights', 'a/biases']
  limit = np.sqrt(6 / 400)  # Glorot and Bengio (2010), equation 16
  assert 0.98 * limit < np.abs(weights).max() <= limit
  np.testing.assert_array_equal(biases, np.zeros(7))


def test_layers_of_both_styles_have_the_same_kinds_of_variables():
  with tf.Graph().as_default():
    images = tf.zeros([1, 8, 8, 3])
    layers.conv_op(images, 'a', 3, 3, 4)
    layers.fc_op(images, 'b', 4, kernel=8)
    slim_layers.conv2d(images, 4, 3, scope='c')
    slim_layers.sliding_fully_connected(images, 4, 8, scope='d')
    names = [f'{scope}/{name}:0' for scope in 'abcd' for name in ('weights', 'biases')]
    assert [v.name for v in slim.get_model_variables()] == names
    assert [v.name for v in tf.trainable_variables()] == names
