import math

import pytest

from benchmarks import torch_net
from tests.benchmarks.peers import CLASSES, MODELS, load, totals

torch = pytest.importorskip('torch', reason='torch is an optional extra')


@pytest.mark.parametrize('model', MODELS)
def test_number_of_parameters_and_output_shape_match_ours(model):
  module = torch_net.build_module(load(model))
  assert sum(p.numel() for p in module.parameters()) == totals(model).trainable
  assert module(torch.zeros(2, 3, 64, 64)).shape == (2, CLASSES)


@pytest.mark.parametrize('what', ['forward', 'forward_backward', 'train_step'])
def test_steps_run(what):
  torch_net.build_step(load('vgg_a@4', what, precision='bfloat16'))()


def test_only_weights_decay():
  module = torch_net.build_module(load('vgg_cifar@4'))
  decayed, others = torch_net._parameter_groups(module)
  weights = sum(p.numel() for p in decayed['params'])
  assert all(p.ndim == 1 for p in others['params'])
  assert weights == sum(math.prod(p.shape) for p in module.parameters() if p.ndim > 1)
