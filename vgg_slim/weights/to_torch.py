"""Converts our variables to a state dict with torchvision's names and layouts. No TensorFlow."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from vgg_slim.configs.net import Network
from vgg_slim.errors import ConfigError
from vgg_slim.nets import specs
from vgg_slim.nets.net_spec import Layer, NetSpec
from vgg_slim.weights import kernels, names

_NORM_PARTS = {
  'weight': 'gamma',
  'bias': 'beta',
  'running_mean': 'moving_mean',
  'running_var': 'moving_variance',
}


class _Module(NamedTuple):
  """A layer with weights, by our name and by torch's.

  Attributes:
    layer: our layer.
    name: name of the convolution or linear layer in torch.
    norm: name of its batch norm in torch, if it has one.
  """

  layer: Layer
  name: str
  norm: str


def check(network: Network) -> None:
  """Raises an error if torchvision's networks compute something else than `network`.

  Raises:
    ConfigError: torchvision has no such layer.
    WeightMismatchError: a ResNet has its strides elsewhere.
  """
  spec = specs.get(network.model)
  names.check_strides(spec, {'torch'})
  if any(layer.kind == 'lrn' for layer in spec.trunk_layers()):
    raise ConfigError(f'torchvision has no network like {spec.name}, which normalizes responses.')


def state_dict(network: Network, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
  """Returns the state dict of a torchvision network with this head; see `describe`.

  Convolutions before batch norm get biases of zero where torchvision's have a bias.

  Args:
    network: identity of the network.
    arrays: values of the variables, by name below the network's scope.
  """
  spec = specs.get(network.model)
  has_conv_biases = isinstance(spec, specs.VggSpec)
  state = {}
  for layer, name, norm in _modules(spec, network):
    kernel = arrays[f'{layer.name}/weights']
    if layer.kind == 'fc':
      state[f'{name}.weight'] = kernels.linear_to_dense(kernels.conv_to_dense_chw(kernel))
    else:
      state[f'{name}.weight'] = kernels.conv_hwio_to_oihw(kernel)
    if layer.biases:
      state[f'{name}.bias'] = arrays[f'{layer.name}/biases']
    elif has_conv_biases:
      state[f'{name}.bias'] = np.zeros(layer.channels, np.float32)
    if layer.batch_norm:
      for part, ours in _NORM_PARTS.items():
        state[f'{norm}.{part}'] = arrays[f'{layer.name}/BatchNorm/{ours}']
      state[f'{norm}.num_batches_tracked'] = np.int64(0)
  return {name: np.ascontiguousarray(array) for name, array in state.items()}


def describe(network: Network) -> str:
  """Returns how to change a network of torchvision so that it takes the state dict."""
  spec = specs.get(network.model)
  if network.is_trunk:
    return 'for load_state_dict(..., strict=False) of a torchvision network: it has no head'
  is_vgg = isinstance(spec, specs.VggSpec)
  steps = list(_head_modules(_head(spec, network), _flat_inputs(spec, network)))
  modules = [text for text, _ in steps]
  head = modules[0] if len(modules) == 1 and not is_vgg else f'Sequential({", ".join(modules)})'
  side = spec.map_side(network.image_size)
  pool = ''
  if is_vgg and (spec.averages(network.head) or side != 7):
    pool = f', avgpool = AdaptiveAvgPool2d({1 if spec.averages(network.head) else side})'
  return f'for a torchvision network with {"classifier" if is_vgg else "fc"} = {head}{pool}'


def _modules(spec: NetSpec, network: Network) -> Iterator[_Module]:
  trunk_names = names.names_of(spec, 'torch')
  for layer in names.trunk_convolutions(spec):
    yield _Module(layer, *trunk_names[layer.name])
  if network.is_trunk:
    return
  head = _head(spec, network)
  prefix = 'classifier' if isinstance(spec, specs.VggSpec) else 'fc'
  numbered = list(enumerate(_head_modules(head, _flat_inputs(spec, network))))
  is_single = len(numbered) == 1 and prefix == 'fc'
  for index, (_, linear) in numbered:
    if linear is not None:
      name = prefix if is_single else f'{prefix}.{index}'
      yield _Module(linear, name, f'{prefix}.{index + 1}')


def _head(spec: NetSpec, network: Network) -> list[Layer]:
  layers = spec.layers(network.num_logits, network.image_size, network.fc_units, network.head)
  return list(layers[len(spec.trunk_layers()) :])


def _flat_inputs(spec: NetSpec, network: Network) -> int:
  """Number of inputs of the head's first linear layer."""
  channels = spec.trunk_layers()[-1].channels
  return channels * spec.fc_kernel(network.image_size, network.head) ** 2


def _head_modules(head: list[Layer], n_in: int) -> Iterator[tuple[str, Layer | None]]:
  """Yields the modules of a Sequential as text, each linear layer with ours."""
  for layer in head:
    if layer.kind == 'dropout':
      yield 'Dropout()', None
    if layer.kind != 'fc':
      continue
    bias = '' if layer.biases else ', bias=False'
    yield f'Linear({n_in}, {layer.channels}{bias})', layer
    if layer.batch_norm:
      yield f'BatchNorm1d({layer.channels})', None
    if layer.relu:
      yield 'ReLU()', None
    n_in = layer.channels
