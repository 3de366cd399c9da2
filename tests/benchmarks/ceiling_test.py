import numpy as np
import pytest

from vgg_slim import sessions
from vgg_slim.benchmarks import ceiling, ceiling_shapes
from vgg_slim.benchmarks.ceiling_shapes import Conv
from vgg_slim.benchmarks.workload import Workload
from vgg_slim.compat import tf

LOAD = Workload('train_step', 'resnet50@2', 2, 64, precision='bfloat16', threads=1)


@pytest.fixture
def operations(monkeypatch):
  """Type and dtype of the operations that are run, in order."""
  ran = []
  open_session = sessions.open_session

  def record():
    session = open_session()
    make_callable = session.make_callable

    def make(operation):
      call = make_callable(operation)
      return lambda: ran.append((operation.type, operation.outputs[0].dtype)) or call()

    monkeypatch.setattr(session, 'make_callable', make)
    return session

  monkeypatch.setattr(sessions, 'open_session', record)
  return ran


@pytest.mark.parametrize(
  ('build', 'name', 'kind'),
  [
    (ceiling.build_convolutions, 'convolutions', 'Conv2D'),
    (ceiling.build_map_gradients, 'map_gradients', 'Conv2DBackpropInput'),
    (ceiling.build_kernel_gradients, 'kernel_gradients', 'Conv2DBackpropFilter'),
  ],
)
def test_every_convolution_runs_as_often_as_the_network_has_it(operations, build, name, kind):
  assert build(LOAD)() is None
  assert operations == [(kind, tf.bfloat16)] * sum(ceiling_shapes.convolutions(LOAD, name).values())


def test_the_matrix_product_runs_in_the_precision_of_the_workload(operations):
  assert ceiling.build_matmul(LOAD, side=8)() is None
  assert operations == [('MatMul', tf.bfloat16)]


@pytest.mark.parametrize(
  'conv', [Conv(1, 4, 2, 3, 3, 1, 'SAME', 4), Conv(1, 7, 2, 3, 3, 2, 'VALID', 3)]
)
def test_gradients_have_the_shapes_of_maps_and_kernel(conv):
  with tf.Graph().as_default():
    result = [1, conv.output_side, conv.output_side, 3]
    maps, kernel = tf.zeros([1, conv.side, conv.side, 2]), tf.zeros([3, 3, 2, 3])
    assert ceiling._convolve(conv, maps, kernel).shape == result
    gradients = [
      ceiling._map_gradient(conv, tf.zeros(result), kernel),
      ceiling._kernel_gradient(conv, maps, tf.zeros(result)),
    ]
    with tf.Session() as session:
      shapes = [value.shape for value in session.run(gradients)]
  assert shapes == [maps.shape, kernel.shape]
  assert np.prod(shapes[1]) == 9 * 2 * 3
