import pytest

from vgg_slim.benchmarks import systems
from vgg_slim.benchmarks.workload import Workload


def load(what='forward', precision='float32'):
  return Workload(what, 'vgg16', 1, 32, precision=precision)


def test_unsupported_kinds_and_precisions_are_named():
  systems.check_can('onnxruntime', load())
  with pytest.raises(systems.NotMeasuredError, match='it does not support train_step'):
    systems.check_can('onnxruntime', load('train_step'))
  with pytest.raises(systems.NotMeasuredError, match='it does not support bfloat16 on CPUs'):
    systems.check_can('onnxruntime', load(precision='bfloat16'))


def test_peers_exclude_this_project_and_the_ceilings():
  assert systems.PEERS == (
    'keras',
    'torch',
    'torch_compile',
    'onnxruntime',
    'openvino',
    'slim',
  )
