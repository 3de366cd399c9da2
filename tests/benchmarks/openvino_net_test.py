import numpy as np
import pytest

from benchmarks import openvino_net
from tests.benchmarks.peers import CLASSES, load

pytest.importorskip('openvino', reason='openvino is an optional extra')


@pytest.mark.parametrize('precision', ['float32', 'bfloat16'])
def test_forward_gives_probabilities(precision):
  (probabilities,) = openvino_net.build_step(load('vgg_cifar@4', precision=precision))().values()
  assert probabilities.shape == (2, CLASSES)
  np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-2 if precision != 'float32' else 1e-5)
