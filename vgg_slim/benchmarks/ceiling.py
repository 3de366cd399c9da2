"""The machine's peak speed: one large matrix product, and the network's convolutions alone."""

from collections.abc import Callable, Sequence

from vgg_slim import sessions
from vgg_slim.benchmarks import ceiling_shapes, systems
from vgg_slim.benchmarks.ceiling_shapes import MATMUL_SIDE, Conv
from vgg_slim.benchmarks.workload import Workload
from vgg_slim.compat import tf

RunBatch = Callable[[], None]
Operation = Callable[[Conv, tf.Tensor, tf.Tensor], tf.Tensor]


def build_matmul(workload: Workload, side: int = MATMUL_SIDE) -> RunBatch:
  """Returns a function that multiplies two square matrices in the workload's precision."""
  with tf.Graph().as_default():
    product = tf.matmul(*_operands(workload, [[side, side], [side, side]]))
    return _open_session().make_callable(product.op)


def build_convolutions(workload: Workload) -> RunBatch:
  """Returns a function that runs every convolution of the network once, and nothing else."""
  return _build(workload, ceiling_shapes.FORWARD, _convolve)


def build_map_gradients(workload: Workload) -> RunBatch:
  """Returns a function that computes the gradients of the input of every convolution."""
  return _build(workload, ceiling_shapes.MAP_GRADIENTS, _map_gradient)


def build_kernel_gradients(workload: Workload) -> RunBatch:
  """Returns a function that computes the gradient of every convolution's kernel."""
  return _build(workload, ceiling_shapes.KERNEL_GRADIENTS, _kernel_gradient)


def _convolve(conv: Conv, maps: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
  return tf.nn.conv2d(maps, kernel, strides=conv.stride, padding=conv.padding)


def _map_gradient(conv: Conv, gradient: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
  shape = [conv.batch, conv.side, conv.side, conv.channels]
  strides = [1, conv.stride, conv.stride, 1]
  return tf.nn.conv2d_backprop_input(shape, kernel, gradient, strides, conv.padding)


def _kernel_gradient(conv: Conv, maps: tf.Tensor, gradient: tf.Tensor) -> tf.Tensor:
  shape = [conv.kernel, conv.kernel, conv.channels, conv.filters]
  strides = [1, conv.stride, conv.stride, 1]
  return tf.nn.conv2d_backprop_filter(maps, shape, gradient, strides, conv.padding)


def _build(workload: Workload, name: str, operation: Operation) -> RunBatch:
  """Returns a function that runs `operation` on each convolution of the pass `name`.

  Equal convolutions share their operands, which saves memory. Each is a call of its own, since
  grappler would merge them.
  """
  shapes = ceiling_shapes.convolutions(workload, name)
  with tf.Graph().as_default():
    results = [operation(conv, *_operands(workload, _shapes(conv, name))) for conv in shapes]
    session = _open_session()
    runs = [session.make_callable(result.op) for result in results]

  def run_batch() -> None:
    for run, count in zip(runs, shapes.values(), strict=True):
      for _ in range(count):
        run()

  return run_batch


def _shapes(conv: Conv, name: str) -> list[list[int]]:
  """Shapes of the two operands of a pass."""
  maps = [conv.batch, conv.side, conv.side, conv.channels]
  kernel = [conv.kernel, conv.kernel, conv.channels, conv.filters]
  result = [conv.batch, conv.output_side, conv.output_side, conv.filters]
  return {
    ceiling_shapes.FORWARD: [maps, kernel],
    ceiling_shapes.MAP_GRADIENTS: [result, kernel],
    ceiling_shapes.KERNEL_GRADIENTS: [maps, result],
  }[name]


def _operands(workload: Workload, shapes: Sequence[list[int]]) -> list[tf.Variable]:
  systems.check_precision(workload, bool(sessions.num_gpus()))
  dtype = tf.as_dtype(workload.precision)
  return [
    tf.Variable(tf.cast(tf.random_normal(shape, seed=0), dtype), trainable=False)
    for shape in shapes
  ]


def _open_session() -> tf.Session:
  """Opens a session with initialized variables, which already have the workload's precision."""
  session = sessions.open_session()
  session.run(tf.global_variables_initializer())
  return session
