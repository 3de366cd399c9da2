"""Compares built models with those of keras.applications; exporter_test compares their outputs."""

import keras
import pytest

from vgg_slim.configs.net import Network
from vgg_slim.errors import ConfigError
from vgg_slim.weights import keras_net


def weights(model):
  return [(layer.name, [w.shape for w in layer.weights]) for layer in model.layers if layer.weights]


@pytest.mark.parametrize(
  ('model', 'application'), [('vgg16', 'VGG16'), ('resnet50_keras', 'ResNet50')]
)
def test_layers_are_those_of_keras_applications(model, application):
  built = keras_net.build(Network(3, model, image_size=32), epsilon=1.001e-5)
  published = getattr(keras.applications, application)(
    weights=None, input_shape=(32, 32, 3), classes=3
  )
  assert weights(built) == weights(published)
  assert built.output_shape == published.output_shape
  assert built.layers[-1].activation is published.layers[-1].activation


def test_a_sigmoid_has_one_unit():
  network = Network(2, 'vgg11@4', 'average', image_size=32, classifier_activation='sigmoid')
  model = keras_net.build(network, None)
  assert model.output_shape == (None, 1)
  assert model.layers[-1].activation is keras.activations.sigmoid


def test_response_normalization_is_refused():
  with pytest.raises(ConfigError, match='no layer that normalizes responses'):
    keras_net.check(Network(3, 'vgg_a_lrn'))
