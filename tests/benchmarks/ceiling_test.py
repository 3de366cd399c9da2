from vgg_slim import sessions
from vgg_slim.benchmarks import ceiling
from vgg_slim.benchmarks.ceiling_shapes import Conv
from vgg_slim.benchmarks.workload import Workload
from vgg_slim.compat import tf


def test_ceilings_run_in_the_precision_of_the_workload(monkeypatch):
  graphs = []
  open_session = sessions.open_session

  def record_graph():
    graphs.append(tf.get_default_graph())
    return open_session()

  monkeypatch.setattr(sessions, 'open_session', record_graph)
  load = Workload('forward', 'vgg16', 1, 32, precision='bfloat16', threads=1)
  assert ceiling.build_matmul(load, side=8)() is None
  assert ceiling.build_convolution(load, Conv(1, 4, 3))() is None
  operations = [op for graph in graphs for op in graph.get_operations()]
  kinds = [(op.type, op.outputs[0].dtype) for op in operations if op.outputs]
  assert ('MatMul', tf.bfloat16) in kinds
  assert ('Conv2D', tf.bfloat16) in kinds
