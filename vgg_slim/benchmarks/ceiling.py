"""The machine's peak speed, measured on one large matrix product or convolution."""

from collections.abc import Callable

from vgg_slim import sessions
from vgg_slim.benchmarks.ceiling_shapes import CONV, MATMUL_SIDE, Conv
from vgg_slim.benchmarks.workload import Workload
from vgg_slim.compat import tf

RunBatch = Callable[[], None]


def build_matmul(workload: Workload, side: int = MATMUL_SIDE) -> RunBatch:
  """Returns a function that multiplies two square matrices in the workload's precision."""
  return _build(workload, [[side, side], [side, side]], tf.matmul)


def build_convolution(workload: Workload, conv: Conv = CONV) -> RunBatch:
  """Returns a function that runs one convolution in the workload's precision."""
  n, side, channels = conv
  shapes = [[n, side, side, channels], [3, 3, channels, channels]]
  return _build(
    workload, shapes, lambda maps, kernel: tf.nn.conv2d(maps, kernel, strides=1, padding='SAME')
  )


def _build(workload: Workload, shapes: list[list[int]], operation: Callable) -> RunBatch:
  with tf.Graph().as_default():
    dtype = tf.as_dtype(workload.precision)
    operands = [
      tf.Variable(tf.cast(tf.random_normal(shape, seed=0), dtype), trainable=False)
      for shape in shapes
    ]
    result = operation(*operands)
    # The operands already have the workload's precision, so the session takes no runtime config.
    session = sessions.open_session()
    session.run(tf.global_variables_initializer())
    return session.make_callable(result.op)
