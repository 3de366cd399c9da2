import numpy as np
import pytest

from vgg_slim.compat import tf
from vgg_slim.ops.session_config import session_config


@pytest.mark.parametrize(('precision', 'bits'), [('float32', 24), ('bfloat16', 8)])
def test_products_keep_the_bits_of_the_precision(precision, bits):
  matrix = np.random.default_rng(0).normal(size=[64, 64])
  with tf.Graph().as_default():
    # A variable: of constants the product would be made before the rewrite.
    left = tf.get_variable('left', initializer=matrix.astype(np.float32))
    # What is fetched keeps its precision: not the product itself.
    product = tf.nn.relu(tf.matmul(left, left))
    with tf.Session(config=session_config(precision)) as session:
      session.run(tf.global_variables_initializer())
      got = session.run(product)
  scale = np.abs(matrix) @ np.abs(matrix)
  error = np.max(np.abs(got - np.maximum(matrix @ matrix, 0)) / scale)
  # Each factor and the result are rounded to so many bits; sums of 64 add a little in float32.
  assert 2.0 ** -(bits + 5) < error < 8 * 2.0**-bits


def test_threads():
  assert session_config(threads=3).intra_op_parallelism_threads == 3
