import numpy as np
import pytest

from tests.testing import assign, graph_session, random_values
from vgg_slim.compat import slim, tf
from vgg_slim.configs.optimizer import DECAYED
from vgg_slim.nets import registry, specs, vgg_ops
from vgg_slim.nets.mode import Inference, Training
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
      weight_decay.add_losses(0.5, ('weights', 'biases'))
    session.run(tf.global_variables_initializer())
    decay = tf.losses.get_regularization_losses()
    gradients = tf.gradients(tf.add_n(decay), variables)
    losses, slopes = session.run([decay, [g for g in gradients if g is not None]])
    decayed = [v.op.name for v, g in zip(variables, gradients, strict=True) if g is not None]
  np.testing.assert_array_equal(losses, [0.5 * v**2 / 2 for v in (5, 17, 3)])
  assert decayed == ['net/conv/biases', 'net/conv/weights', 'net/fc/weights']
  np.testing.assert_array_equal(np.ravel(slopes), [0.5 * v for v in (3, 5, 17)])


IMAGES = [2, 64, 64, 3]


def slim_vgg(images):
  """VGG-A of tf-slim with its own regularizer, thin."""
  decay = slim.l2_regularizer(0.01)
  with (
    tf.variable_scope('vgg_a'),
    slim.arg_scope([slim.conv2d], weights_regularizer=decay),
  ):
    net = images
    rows = ((1, 4), (1, 8), (2, 16), (2, 32), (2, 32))
    for stage, (repeats, channels) in enumerate(rows, start=1):
      net = slim.repeat(net, repeats, slim.conv2d, channels, [3, 3], scope=f'conv{stage}')
      net = slim.max_pool2d(net, [2, 2], scope=f'pool{stage}')
    net = slim.conv2d(net, 8, [2, 2], padding='VALID', scope='fc6')
    net = slim.conv2d(net, 8, [1, 1], scope='fc7')
    slim.conv2d(net, 3, [1, 1], activation_fn=None, scope='fc8')


MODE = Training(weight_decay=0.01)
SPEC = specs.VGG['vgg_a'].thin(4)
BUILDS = {
  'slim': slim_vgg,
  'registry': lambda images: registry.build(SPEC, images, 3, MODE, 64, 8),
  'ops': lambda images: vgg_ops.build(images, SPEC, 3, MODE, 64, 8),
}


@pytest.mark.parametrize('first', [False, tf.AUTO_REUSE])
@pytest.mark.parametrize('second', [True, tf.AUTO_REUSE])
def test_both_networks_decay_each_weight_once_like_tf_slim(first, second):
  losses = {}
  for name, build in BUILDS.items():
    with graph_session() as session:
      images = tf.zeros(IMAGES)
      for reuse in (first, second, second):
        with tf.variable_scope(tf.get_variable_scope(), reuse=reuse):
          build(images)
      collected = tf.losses.get_regularization_losses()
      shapes = {v.op.name: v.shape.as_list() for v in tf.trainable_variables()}
      assign(session, random_values(shapes))
      losses[name] = session.run(collected)
  assert len(losses['slim']) == 11  # 8 convolutions and 3 fully-connected layers
  np.testing.assert_array_equal(losses['registry'], losses['slim'])
  np.testing.assert_array_equal(losses['ops'], losses['slim'])


def test_training_decays_the_variables_of_an_inference_network():
  with tf.Graph().as_default():
    registry.build(SPEC, tf.zeros(IMAGES), 3, Inference(), 64, 8)
    with tf.variable_scope(tf.get_variable_scope(), reuse=True):
      registry.build(SPEC, tf.zeros(IMAGES), 3, MODE, 64, 8)
    assert len(tf.losses.get_regularization_losses()) == 11
