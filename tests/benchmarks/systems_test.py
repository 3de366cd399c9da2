import pytest

from vgg_slim.benchmarks import systems
from vgg_slim.benchmarks.workload import Workload


def load(what='forward', precision='float32'):
  return Workload(what, 'vgg16', 1, 32, precision=precision)


def test_what_a_system_cannot_do_is_said():
  systems.check_can('onnxruntime', load())
  with pytest.raises(systems.NotMeasuredError, match='train_step is not measured on it'):
    systems.check_can('onnxruntime', load('train_step'))
  with pytest.raises(systems.NotMeasuredError, match='it has no bfloat16'):
    systems.check_can('onnxruntime', load(precision='bfloat16'))


def test_peers_are_neither_ours_nor_ceilings():
  assert systems.PEERS == ('keras', 'torch', 'torch_compile', 'onnxruntime', 'slim')
