"""Fails when TensorFlow, tf_keras or tf_slim change something that `vgg_slim.compat` relies on."""

import subprocess
import sys

import numpy as np

from tests.testing import graph_session
from vgg_slim.compat import own_arg_scopes, slim, tf


def test_slim_batch_norm_normalizes_and_updates_its_moving_mean():
  x = np.random.default_rng(0).normal(3, 2, [16, 4, 4, 2]).astype(np.float32)
  with graph_session() as session:
    y = slim.conv2d(
      tf.constant(x),
      2,
      [1, 1],
      weights_initializer=tf.constant_initializer(np.eye(2).reshape(1, 1, 2, 2)),
      activation_fn=None,
      normalizer_fn=slim.batch_norm,
      normalizer_params={'decay': 0.9, 'epsilon': 0.0, 'scale': True},
      scope='conv',
    )
    names = {variable.op.name for variable in tf.global_variables()}
    session.run(tf.global_variables_initializer())
    normalized = session.run(y)
    session.run(tf.get_collection(tf.GraphKeys.UPDATE_OPS))
    moving_mean = next(v for v in tf.global_variables() if v.op.name.endswith('moving_mean'))
    moving_mean = session.run(moving_mean)
  assert names == {
    'conv/weights',
    'conv/BatchNorm/beta',
    'conv/BatchNorm/gamma',
    'conv/BatchNorm/moving_mean',
    'conv/BatchNorm/moving_variance',
  }
  mean, std = x.mean((0, 1, 2)), x.std((0, 1, 2))
  # float32 statistics of 256 values of size 3: 1e-5 is about 20x the rounding.
  np.testing.assert_allclose(normalized, (x - mean) / std, rtol=0, atol=1e-5)
  np.testing.assert_allclose(moving_mean, 0.1 * mean, rtol=1e-5)


def test_importing_compat_leaves_eager_mode_on():
  assert tf.executing_eagerly()


def test_importing_compat_does_not_load_keras_and_keras_can_be_loaded_later():
  program = """if True:
      import sys
      from vgg_slim.compat import tf
      assert not {'keras', 'tf_keras', 'sklearn', 'matplotlib'} & set(sys.modules)
      import keras, sklearn.metrics
      import tensorflow.keras.layers
      assert tf.keras.optimizers.Adam is keras.optimizers.Adam
  """
  subprocess.run([sys.executable, '-c', program], check=True, timeout=300)


def test_own_arg_scopes_are_restored_after_others_enter_theirs():
  with slim.arg_scope([slim.conv2d], padding='VALID'):
    with own_arg_scopes():
      other = slim.arg_scope([slim.conv2d], padding='SAME')
      other.__enter__()
    assert slim.current_arg_scope()[slim.arg_scope_func_key(slim.conv2d)]['padding'] == 'VALID'
