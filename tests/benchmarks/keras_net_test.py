import numpy as np
import pytest

from benchmarks import keras_net
from tests.benchmarks.peers import CLASSES, MODELS, load, totals
from vgg_slim.benchmarks import layer_walk


@pytest.mark.parametrize('model', MODELS)
def test_number_of_parameters_and_output_shape_match_ours(model):
  network = keras_net.build_model(load(model))
  assert network.count_params() == totals(model).parameters
  assert sum(np.prod(w.shape) for w in network.trainable_weights) == totals(model).trainable
  assert network.output_shape == (None, CLASSES)


def test_dropout_layers_match_ours():
  workload = load('vgg_c@4')
  network = keras_net.build_model(workload)
  expected = [layer for layer in workload.layers() if layer.kind == 'dropout']
  rates = [layer.rate for layer in network.layers if 'Dropout' in type(layer).__name__]
  assert rates == [layer_walk.DROPOUT_RATE] * len(expected) == [0.5, 0.5]


@pytest.mark.parametrize('what', ['forward', 'forward_backward', 'train_step'])
def test_steps_run(what):
  result = keras_net.build_step(load('vgg_a@4', what))()
  leaves = result if isinstance(result, list) else [result]
  assert all(np.isfinite(leaf).all() for leaf in leaves)
