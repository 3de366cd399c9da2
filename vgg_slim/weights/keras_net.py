"""Builds a network as a Keras model with the layers of keras.applications."""

from typing import Any

from vgg_slim.configs.net import Network
from vgg_slim.errors import ConfigError
from vgg_slim.nets import specs
from vgg_slim.nets.net_spec import IMAGES, Layer
from vgg_slim.weights import names
from vgg_slim.weights.keras_h5 import KerasLayer

_DROP_RATE = 0.5  # of the paper; a checkpoint does not hold it


def check(network: Network) -> None:
  """Raises ConfigError if Keras has no layer like one of the network's."""
  spec = specs.get(network.model)
  if any(layer.kind == 'lrn' for layer in spec.trunk_layers()):
    raise ConfigError(f'Keras has no layer that normalizes responses as {spec.name} does.')


def build(network: Network, epsilon: float | None, is_nested: bool = False) -> Any:
  """Returns the model, whose last layer has the softmax or the sigmoid.

  Args:
    network: identity of the network.
    epsilon: epsilon of batch norms.
    is_nested: whether the trunk is a model of its own within the model.
  """
  import keras

  spec = specs.get(network.model)
  builder = _Builder(keras, names.names_of(spec, 'keras'), epsilon)
  shape = (network.image_size, network.image_size, 3)
  images = keras.Input(shape)
  outputs = {IMAGES: images}
  end_of_trunk = spec.trunk_layers()[-1].name
  layers = spec.layers(network.num_logits, network.image_size, network.fc_units, network.head)
  for layer in layers:
    inputs = [outputs[name] for name in layer.inputs]
    if layer is layers[-1] and not network.is_trunk:
      outputs[layer.name] = builder.scores(layer, inputs[0], network.classifier_activation)
    else:
      outputs[layer.name] = builder.add(layer, inputs)
    if is_nested and layer.name == end_of_trunk:
      trunk = keras.Model(images, outputs[layer.name])
      images = keras.Input(shape)
      outputs[layer.name] = trunk(images)
  return keras.Model(images, outputs[layers[-1].name], name=spec.scope)


def set_weights(model: Any, layers: list[KerasLayer]) -> None:
  """Gives the layers of a model from `build` their values, from `to_keras.list_layers`."""
  for layer in layers:
    model.get_layer(layer.name).set_weights(list(layer.arrays))


class _Builder:
  """Adds one layer of ours at a time, as one or more layers of Keras."""

  def __init__(self, keras: Any, layer_names: dict[str, tuple[str, str]], epsilon: float | None):
    self._layers = keras.layers
    self._names = layer_names
    self._epsilon = epsilon

  def add(self, layer: Layer, inputs: list[Any]) -> Any:
    """Returns the output of a layer of any kind."""
    return getattr(self, f'_add_{layer.kind}')(layer, *inputs)

  def scores(self, layer: Layer, net: Any, activation: str) -> Any:
    """Returns the output of the layer for the class scores."""
    name = self._names[layer.name][0]
    return self._layers.Dense(layer.channels, activation, name=name)(self._flat(net))

  def _add_conv(self, layer: Layer, net: Any) -> Any:
    net, padding = self._pad(layer, net)
    net = self._layers.Conv2D(
      layer.channels,
      layer.kernel,
      layer.stride,
      padding,
      use_bias=layer.biases,
      name=self._names[layer.name][0],
    )(net)
    return self._finish(layer, net)

  def _add_fc(self, layer: Layer, net: Any) -> Any:
    dense = self._layers.Dense(
      layer.channels, use_bias=layer.biases, name=self._names[layer.name][0]
    )
    return self._finish(layer, dense(self._flat(net)))

  def _add_max_pool(self, layer: Layer, net: Any) -> Any:
    net, padding = self._pad(layer, net)
    return self._layers.MaxPooling2D(layer.kernel, layer.stride, padding)(net)

  def _add_average_pool(self, layer: Layer, net: Any) -> Any:
    return self._layers.GlobalAveragePooling2D()(net)

  def _add_dropout(self, layer: Layer, net: Any) -> Any:
    return self._layers.Dropout(layer.drop_rate or _DROP_RATE)(net)

  def _add_subsample(self, layer: Layer, net: Any) -> Any:
    return self._layers.MaxPooling2D(1, layer.stride)(net)

  def _add_add(self, layer: Layer, branch: Any, shortcut: Any) -> Any:
    return self._layers.ReLU()(self._layers.Add()([shortcut, branch]))

  def _finish(self, layer: Layer, net: Any) -> Any:
    if layer.batch_norm:
      name = self._names[layer.name][1]
      net = self._layers.BatchNormalization(epsilon=self._epsilon, name=name)(net)
    return self._layers.ReLU()(net) if layer.relu else net

  def _pad(self, layer: Layer, net: Any) -> tuple[Any, str]:
    if layer.padding == 'SAME' or (layer.stride == 1 and 2 * layer.padding == layer.kernel - 1):
      return net, 'same'
    return self._layers.ZeroPadding2D(layer.padding)(net) if layer.padding else net, 'valid'

  def _flat(self, net: Any) -> Any:
    return net if len(net.shape) == 2 else self._layers.Flatten()(net)
