"""Converts our variables to the layers of a Keras model, in Keras's order. No TensorFlow."""

import itertools
from collections.abc import Iterator

import numpy as np

from vgg_slim.configs.net import Network
from vgg_slim.nets import specs
from vgg_slim.nets.net_spec import Layer
from vgg_slim.weights import kernels, names
from vgg_slim.weights.keras_h5 import KerasLayer

_NORM_PARTS = ('gamma', 'beta', 'moving_mean', 'moving_variance')


def list_layers(network: Network, arrays: dict[str, np.ndarray]) -> list[KerasLayer]:
  """Returns the layers with weights in the order of `Model.layers`.

  Args:
    network: identity of the network.
    arrays: values of the variables, by name below the network's scope.
  """
  spec = specs.get(network.model)
  keras_names = names.names_of(spec, 'keras')
  rows = spec.layers(network.num_logits, network.image_size, network.fc_units, network.head)
  layers = []
  for name, is_norm in _in_keras_order([row for row in rows if row.has_weights]):
    keras_layer, keras_norm = keras_names[name]
    if is_norm:
      norm = tuple(arrays[f'{name}/BatchNorm/{part}'] for part in _NORM_PARTS)
      layers.append(KerasLayer('batch_normalization', keras_norm, norm))
      continue
    kernel, dense = arrays[f'{name}/weights'], name in spec.fc_scopes
    values = [kernels.conv_to_dense_hwc(kernel) if dense else kernel]
    values += [arrays[f'{name}/biases']] if f'{name}/biases' in arrays else []
    layers.append(KerasLayer('dense' if dense else 'conv2d', keras_layer, tuple(values)))
  return layers


def _in_keras_order(layers: list[Layer]) -> Iterator[tuple[str, bool]]:
  """Yields (name of our layer, whether its batch norm is meant).

  Keras sorts layers by their depth below the output, which puts a projection next to the unit's
  last convolution: 0_conv, 3_conv, 0_bn, 3_bn.
  """
  shortcut = None
  for layer, following in itertools.zip_longest(layers, layers[1:]):
    if layer.name.endswith('/shortcut'):
      shortcut = layer
      continue
    is_last = following is None or _unit(following) != _unit(layer)
    same_depth = [shortcut, layer] if shortcut and is_last else [layer]
    yield from ((each.name, False) for each in same_depth)
    yield from ((each.name, True) for each in same_depth if each.batch_norm)
    shortcut = None if len(same_depth) == 2 else shortcut


def _unit(layer: Layer) -> str:
  return layer.name.rpartition('/')[0]
