"""Converts our variables to the layers of a Keras model, in Keras's order. No TensorFlow."""

from collections.abc import Iterator

import numpy as np

from vgg_slim.nets.net_spec import Layer, NetSpec
from vgg_slim.weights import kernels, names
from vgg_slim.weights.keras_h5 import KerasLayer

_NORM_PARTS = ('gamma', 'beta', 'moving_mean', 'moving_variance')


def list_layers(spec: NetSpec, arrays: dict[str, np.ndarray]) -> list[KerasLayer]:
  """Returns the layers with weights in the order of `Model.layers`.

  Args:
    spec: specification of the network.
    arrays: values of the variables, by name below the network's scope; without the head's for a
      trunk.
  """
  keras_names = names.keras_names(spec)
  layers = []
  for layer in _in_keras_order(names.weight_layers(spec)):
    name, is_norm = layer
    if f'{name}/weights' not in arrays:
      continue
    keras_layer, keras_norm = keras_names[name]
    if is_norm:
      norm = tuple(arrays[f'{name}/BatchNorm/{part}'] for part in _NORM_PARTS)
      layers.append(KerasLayer('batch_normalization', keras_norm, norm))
      continue
    kernel, dense = arrays[f'{name}/weights'], name in names.head_scopes(spec)
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
  for layer in layers:
    if layer.name.endswith('/shortcut'):
      shortcut = layer
      continue
    same_depth = [shortcut, layer] if shortcut and layer.name.endswith('/conv3') else [layer]
    yield from ((each.name, False) for each in same_depth)
    yield from ((each.name, True) for each in same_depth if each.batch_norm)
    shortcut = None if len(same_depth) == 2 else shortcut
