import numpy as np
import pytest

from benchmarks import onnx_net
from tests.benchmarks.peers import CLASSES, load

for library in ('onnx', 'onnxruntime', 'torch'):
  pytest.importorskip(library, reason=f'{library} is an optional extra')


def test_forward_gives_probabilities():
  (probabilities,) = onnx_net.build_step(load('vgg_cifar@4'))()
  assert probabilities.shape == (2, CLASSES)
  np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)
