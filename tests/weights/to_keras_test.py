import keras
import numpy as np
import pytest

from tests.weights import fabricated
from vgg_slim.configs.net import Network
from vgg_slim.weights import to_keras
from vgg_slim.weights.recognition import variable_shapes


def keras_layers(model):
  """Returns (class, name, shapes) of every layer with weights, in Keras's order."""
  snake = {'Conv2D': 'conv2d', 'Dense': 'dense', 'BatchNormalization': 'batch_normalization'}
  return [
    (snake[type(layer).__name__], layer.name, [tuple(w.shape) for w in layer.weights])
    for layer in model.layers
    if layer.weights
  ]


def check(network, model):
  shapes = variable_shapes(network)
  arrays = {name: np.broadcast_to(np.float32(0), shape) for name, shape in shapes.items()}
  layers = to_keras.list_layers(network, arrays)
  got = [(kind, name, [array.shape for array in arrays]) for kind, name, arrays in layers]
  assert got == keras_layers(model)


def test_batch_norms_follow_their_convolutions(monkeypatch):
  spec = fabricated.put_small(monkeypatch, 'vgg_c_bn')
  check(fabricated.network('vgg_c_bn'), fabricated.keras_vgg(spec))


# The order of 53 convolutions depends on how Keras sorts its graph: compares whole applications.
@pytest.mark.parametrize(
  ('name', 'application'), [('vgg_e', 'VGG19'), ('resnet50_keras', 'ResNet50')]
)
def test_layers_match_those_of_keras_applications_in_order(name, application):
  network = getattr(keras.applications, application)
  model = network(weights=None, input_shape=(32, 32, 3), classes=3)
  check(Network(3, name, image_size=32), model)
