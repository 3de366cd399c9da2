import numpy as np

from tests.testing import graph_session
from vgg_slim.compat import tf
from vgg_slim.configs.optimizer import DECAYED
from vgg_slim.ops import weight_decay

NAMES = ('conv/biases', 'conv/weights', 'bn/gamma', 'bn/beta', 'biases_of/other', 'fc/weights')


def make_variables(values=(3.0, 5.0, 7.0, 11.0, 13.0, 17.0)):
  return [
    tf.get_variable(name, initializer=[value]) for name, value in zip(NAMES, values, strict=True)
  ]


def test_every_kind_of_the_config_selects_its_variables():
  assert weight_decay.KINDS == DECAYED
  with tf.Graph().as_default():
    variables = make_variables()
    selected = {
      kind: [v.op.name for v in weight_decay.select(variables, [kind])] for kind in DECAYED
    }
  assert selected == {
    'weights': ['conv/weights', 'fc/weights'],
    'biases': ['conv/biases'],
    'batch_norm': ['bn/gamma', 'bn/beta'],
  }


def test_kernels_come_first_so_that_sums_keep_their_order():
  with tf.Graph().as_default():
    selected = weight_decay.select(make_variables(), DECAYED)
  assert [v.op.name for v in selected] == [
    *('conv/weights', 'fc/weights', 'conv/biases', 'bn/gamma', 'bn/beta')
  ]


def test_losses_are_half_the_squares_of_the_variables_in_the_scope():
  with graph_session() as session:
    make_variables()
    with tf.variable_scope('net'):
      tf.get_variable('frozen/weights', initializer=[100.0], trainable=False)
      variables = make_variables()
      weight_decay.add_losses(0.5, ('weights', 'biases'))
      weight_decay.add_losses(0.0, ('batch_norm',))
    with tf.variable_scope('net', reuse=True):
      weight_decay.add_losses(0.5, ('weights',))
    session.run(tf.global_variables_initializer())
    decay = tf.losses.get_regularization_losses()
    gradients = tf.gradients(tf.add_n(decay), variables)
    losses, slopes = session.run([decay, [g for g in gradients if g is not None]])
    decayed = [v.op.name for v, g in zip(variables, gradients, strict=True) if g is not None]
  np.testing.assert_array_equal(losses, [0.5 * v**2 / 2 for v in (5, 17, 3)])
  assert decayed == ['net/conv/biases', 'net/conv/weights', 'net/fc/weights']
  np.testing.assert_array_equal(np.ravel(slopes), [0.5 * v for v in (3, 5, 17)])
