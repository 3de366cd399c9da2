import numpy as np
import pytest

from tests.benchmarks.peers import CLASSES, MODELS, load, totals
from vgg_slim.benchmarks import keras_net


@pytest.mark.parametrize('model', MODELS)
def test_same_parameters_and_probabilities(model):
  network = keras_net.build_model(load(model))
  assert network.count_params() == totals(model).parameters
  assert sum(np.prod(w.shape) for w in network.trainable_weights) == totals(model).trainable
  assert network.output_shape == (None, CLASSES)


@pytest.mark.parametrize('what', ['forward', 'forward_backward', 'train_step'])
def test_steps_run(what):
  result = keras_net.build_step(load('vgg_a@4', what))()
  leaves = result if isinstance(result, list) else [result]
  assert all(np.isfinite(leaf).all() for leaf in leaves)
