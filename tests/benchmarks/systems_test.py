import pytest

from vgg_slim.benchmarks import systems
from vgg_slim.benchmarks.workload import Workload


def load(what='forward', precision='float32'):
  return Workload(what, 'vgg16', 1, 32, precision=precision)


def test_unsupported_kinds_and_precisions_are_named():
  systems.check_can('onnxruntime', load())
  with pytest.raises(systems.NotMeasuredError, match='it does not support train_step'):
    systems.check_can('onnxruntime', load('train_step'))
  with pytest.raises(systems.NotMeasuredError, match='it does not support bfloat16 here'):
    systems.check_can('onnxruntime', load(precision='bfloat16'))


def test_float16_needs_a_gpu():
  systems.check_precision(load(precision='float16'), has_gpu=True)
  systems.check_precision(load(precision='bfloat16'), has_gpu=False)
  with pytest.raises(systems.NotMeasuredError, match='there is none'):
    systems.check_precision(load(precision='float16'), has_gpu=False)


def test_peers_exclude_this_project_and_the_ceilings():
  assert systems.PEERS == (
    'keras',
    'torch',
    'torch_compile',
    'onnxruntime',
    'openvino',
    'slim',
  )
