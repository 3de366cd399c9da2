"""Says in words why a file does not fit a network, before any name is listed. No TensorFlow."""

import math
from collections.abc import Sequence

from vgg_slim.configs.net import Network
from vgg_slim.nets import specs
from vgg_slim.nets.net_spec import NetSpec
from vgg_slim.weights import linking, names
from vgg_slim.weights.foreign import ForeignWeights
from vgg_slim.weights.recognition import variable_shapes
from vgg_slim.wording import counted


def describe(network: Network, foreign: ForeignWeights) -> str:
  """Returns the first difference that a reader would look for, as one sentence; '' if all agree."""
  spec = specs.get(network.model)
  if not network.is_trunk and _count_kernels(foreign) == 0:
    return 'The file holds no convolutions and no fully-connected layers with known layouts.'
  return (
    _compare_convolutions(spec, network, foreign)
    or _compare_norms(spec, foreign)
    or ('' if network.is_trunk else _compare_heads(spec, network, foreign))
  )


def _count_kernels(foreign: ForeignWeights) -> int:
  return sum(array.ndim in (2, 4) for array in foreign.arrays.values())


def _compare_convolutions(spec: NetSpec, network: Network, foreign: ForeignWeights) -> str:
  dense = {layer.name for layer in linking.list_dense_layers(spec, foreign)}
  theirs = [
    foreign.kernel_shape(name)
    for name, array in foreign.arrays.items()
    if array.ndim == 4 and names.split(name)[0] not in dense
  ]
  shapes = variable_shapes(network)
  ours = [shapes[f'{layer.name}/weights'] for layer in names.trunk_convolutions(spec)]
  if len(theirs) != len(ours):
    return f'The file has {counted(len(theirs), "convolution")}, {spec.name} has {len(ours)}.'
  if not foreign.in_order or sorted(theirs) == sorted(ours):
    return ''
  for number, (their, our) in enumerate(zip(theirs, ours, strict=True), start=1):
    if their != our:
      return (
        f'Convolution {number} of the file is {_convolution(their)}, that of {spec.name} is '
        f'{_convolution(our)}.'
      )
  return ''


def _compare_norms(spec: NetSpec, foreign: ForeignWeights) -> str:
  convolutions = len(names.trunk_convolutions(spec))
  parts = [names.NORM_PARTS.get(names.split(name)[1]) for name in foreign.arrays]
  count = parts.count('mean')
  if spec.batch_norm and not count:
    return f'The file has no batch norm, {spec.name} has one after each convolution.'
  if not spec.batch_norm and count >= convolutions:
    return f'The file has {counted(count, "batch norm")}, {spec.name} has none.'
  return ''


def _compare_heads(spec: NetSpec, network: Network, foreign: ForeignWeights) -> str:
  dense = linking.list_dense_layers(spec, foreign)
  if not dense:
    return 'The file has no fully-connected layers, and hence no head.'
  layers = spec.layers(network.num_logits, network.image_size, network.fc_units, network.head)
  fc = [layer for layer in layers if layer.kind == 'fc']
  ours = [layer.channels for layer in fc]
  chain = linking.find_chain(spec, dense) or dense
  theirs = [layer.n_out for layer in chain]
  if len(theirs) > len(spec.fc_scopes):
    return (
      f'The head of the file has {len(theirs)} fully-connected layers, of {_units(theirs)}; a head '
      f'has at most {len(spec.fc_scopes)} here.'
    )
  if theirs != ours:
    head = network.head or spec.head
    return (
      f"The file's head has fully-connected layers of {_units(theirs)}, the head {head} of "
      f'{spec.name} of {_units(ours)}.'
    )
  n_in = math.prod(variable_shapes(network)[f'{fc[0].name}/weights'][:-1])
  if chain[0].n_in != n_in:
    return f'The head of the file reads {chain[0].n_in} values, that of {spec.name} {n_in}.'
  return ''


def _convolution(shape: tuple[int, ...]) -> str:
  return f'{shape[0]}x{shape[1]}, {shape[2]} to {shape[3]} channels'


def _units(numbers: Sequence[int]) -> str:
  return f'{", ".join(map(str, numbers))} units'
