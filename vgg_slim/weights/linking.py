"""Finds the variable for every array of a file, by name or by order and shape. No TensorFlow.

Trunks are linked by the names of `names`. A trunk without these names, such as that of a Keras
model with automatic names, is linked by the order and the shapes of its layers. Heads are linked by
their shapes, because everybody gives them other names.
"""

import itertools
import math
from collections.abc import Iterator
from typing import NamedTuple

from vgg_slim.nets import head_specs
from vgg_slim.nets.net_spec import Layer, NetSpec, Shapes
from vgg_slim.nets.resnet import BOTTLENECK, ResNetSpec
from vgg_slim.weights import names
from vgg_slim.weights.foreign import ForeignWeights
from vgg_slim.weights.names import Slot

_MAX_HEAD_LAYERS = 3


class Link(NamedTuple):
  """The result of linking.

  Attributes:
    slots: our variables by foreign name, in the order of the file.
    by_order: whether the layers of the trunk have unknown names and were linked by order and shape.
  """

  slots: dict[str, Slot]
  by_order: bool = False


class DenseLayer(NamedTuple):
  """A fully-connected layer of a file.

  Attributes:
    name: foreign name of the layer.
    n_in: number of inputs.
    n_out: number of outputs.
  """

  name: str
  n_in: int
  n_out: int


def link(spec: NetSpec, foreign: ForeignWeights) -> Link:
  """Finds the slot of every array that has one.

  Raises:
    WeightMismatchError: two arrays have the same slot, or a ResNet has its strides elsewhere.
  """
  known = names.link(spec, foreign)
  trunk = {name: slot for name, slot in known.items() if slot.layer not in spec.fc_scopes}
  by_order = None
  if not _has_all_kernels(spec, trunk):
    by_order = _link_trunk_by_order(spec, foreign)
    trunk = trunk if by_order is None else by_order
  head = _link_head(spec, foreign, trunk, known)
  slots = {name: {**trunk, **head}[name] for name in foreign.arrays if name in trunk | head}
  return Link(slots, by_order is not None)


def list_dense_layers(spec: NetSpec, foreign: ForeignWeights) -> list[DenseLayer]:
  """Returns the fully-connected layers of the file, in its order.

  A convolution is one of them if its name is that of a layer of the head, as in tf-slim.
  """
  known = names.link(spec, foreign)
  dense = []
  for layer, parts in _layers(foreign).items():
    name = parts.get('kernel')
    shape = foreign.kernel_shape(name) if name else ()
    is_head = len(shape) == 4 and name in known and known[name].layer in spec.fc_scopes
    if len(shape) == 2 or is_head:
      dense.append(DenseLayer(layer, math.prod(shape[:-1]), shape[-1]))
  return dense


def find_chain(spec: NetSpec, dense: list[DenseLayer]) -> list[DenseLayer]:
  """Returns the layers in the order of computation, or none if they are not a head of `spec`.

  The first layer reads the last feature map, and each further layer the outputs of the one before.
  """
  channels = spec.trunk_layers()[-1].channels
  if not 1 <= len(dense) <= _MAX_HEAD_LAYERS:
    return []
  for chain in itertools.permutations(dense):
    connected = all(a.n_out == b.n_in for a, b in itertools.pairwise(chain))
    if connected and chain[0].n_in % channels == 0:
      return list(chain)
  return []


def _layers(foreign: ForeignWeights) -> dict[str, dict[str, str]]:
  """Groups arrays by layer, and then by part: a part of a layer, or of a batch norm."""
  grouped: dict[str, dict[str, str]] = {}
  for name in foreign.arrays:
    layer, part = names.split(name)
    grouped.setdefault(layer, {})[part] = name
  layers = {}
  for layer, parts in grouped.items():
    is_layer = any(foreign.arrays[name].ndim > 1 for name in parts.values())
    meanings = names.LAYER_PARTS if is_layer else names.NORM_PARTS
    layers[layer] = {meanings.get(part, part): name for part, name in parts.items()}
  return layers


def _has_all_kernels(spec: NetSpec, trunk: dict[str, Slot]) -> bool:
  found = {slot.layer for slot in trunk.values() if slot.part == 'kernel'}
  return all(layer.name in found for layer in names.trunk_convolutions(spec))


def _link_trunk_by_order(spec: NetSpec, foreign: ForeignWeights) -> dict[str, Slot] | None:
  """Links convolutions whose shapes follow each other as in the trunk; None if some are missing."""
  if not foreign.in_order:
    return None
  layers = _layers(foreign)
  kernels = {layer: parts['kernel'] for layer, parts in layers.items() if 'kernel' in parts}
  convs = {
    layer: foreign.kernel_shape(name)
    for layer, name in kernels.items()
    if foreign.arrays[name].ndim == 4
  }
  norms = {
    layer: foreign.arrays[parts['mean']].shape for layer, parts in layers.items() if 'mean' in parts
  }
  shapes = spec.parameter_shapes(None)
  for order in _file_orders(spec):
    owners = _find_subsequence(convs, [shapes[f'{layer.name}/weights'] for layer in order])
    norm_owners = _find_norms(order, shapes, convs, norms, owners)
    if owners and norm_owners is not None:
      return _slots_in_order(layers, order, owners, norm_owners)
  return None


def _find_norms(
  order: list[Layer],
  shapes: Shapes,
  convs: dict[str, tuple[int, ...]],
  norms: dict[str, tuple[int, ...]],
  owners: list[str] | None,
) -> list[str] | None:
  """Returns the file's batch norms in our order, [] for a network without; None if some lack."""
  if not order[0].batch_norm:
    return []
  wanted = [shapes[f'{layer.name}/weights'][-1:] for layer in order]
  if owners and len(norms) == len(convs):
    followers = dict(zip(convs, norms, strict=True))
    paired = [followers[owner] for owner in owners]
    return paired if [norms[norm] for norm in paired] == wanted else None
  return _find_subsequence(norms, wanted)


def _slots_in_order(
  layers: dict[str, dict[str, str]], order: list[Layer], owners: list[str], norms: list[str]
) -> dict[str, Slot]:
  slots = {}
  for layer, owner in zip(order, owners, strict=True):
    slots.update({n: Slot(layer.name, part) for part, n in layers[owner].items()})
  for layer, norm in zip(order, norms, strict=False):
    slots.update({n: Slot(layer.name, part) for part, n in layers[norm].items()})
  return {name: slot for name, slot in slots.items() if slot.part in names.OUR_NAMES}


def _find_subsequence(
  given: dict[str, tuple[int, ...]], wanted: list[tuple[int, ...]]
) -> list[str] | None:
  """Returns the first layers whose shapes are `wanted`, in order, with others between them."""
  rest = iter(given.items())
  found = []
  for shape in wanted:
    name = next((name for name, other in rest if other == shape), None)
    if name is None:
      return None
    found.append(name)
  return found


def _file_orders(spec: NetSpec) -> Iterator[list[Layer]]:
  """Yields the orders in which files store the convolutions of the trunk.

  A unit's projection comes first (as Keras creates it), before the last convolution (as Keras sorts
  it) or last (torch, and Keras until 2018). Shapes tell which.
  """
  layers = names.trunk_convolutions(spec)
  yield layers
  if isinstance(spec, ResNetSpec):
    size = 4 if spec.unit_kind == BOTTLENECK else 3
    for position in (size - 2, size - 1):
      order = list(layers)
      for start, layer in enumerate(layers):
        if layer.name.endswith('/shortcut'):
          unit = layers[start + 1 : start + size]
          unit.insert(position, layer)
          order[start : start + size] = unit
      yield order


def _link_head(
  spec: NetSpec, foreign: ForeignWeights, trunk: dict[str, Slot], known: dict[str, Slot]
) -> dict[str, Slot]:
  """Links the fully-connected layers by their shapes, and the rest of the head by name."""
  layers = _layers(foreign)
  named = {name: slot for name, slot in known.items() if slot.layer in spec.fc_scopes}
  dense = [d for d in list_dense_layers(spec, foreign) if layers[d.name]['kernel'] not in trunk]
  chain = find_chain(spec, dense)
  if not chain or _is_cut(spec, foreign, layers, chain, named):
    return named
  scopes = (*spec.fc_scopes[: len(chain) - 1], spec.fc_scopes[-1])
  slots = {}
  for scope, layer in zip(scopes, chain, strict=True):
    parts = layers[layer.name].items()
    slots.update({name: Slot(scope, part) for part, name in parts if part in ('kernel', 'bias')})
  return {**_find_head_norms(spec, foreign, layers, trunk, chain), **slots}


def _find_head_norms(
  spec: NetSpec,
  foreign: ForeignWeights,
  layers: dict[str, dict[str, str]],
  trunk: dict[str, Slot],
  chain: list[DenseLayer],
) -> dict[str, Slot]:
  """Links the batch norms of the hidden layers that have one in the network's own head."""
  hidden = head_specs.get(spec.head).hidden
  if len(hidden) != len(chain) - 1:
    return {}
  free = [parts for parts in layers.values() if 'mean' in parts and parts['mean'] not in trunk]
  slots = {}
  for scope, fc, layer in zip(spec.fc_scopes, hidden, chain, strict=False):
    fits = (parts for parts in free if foreign.arrays[parts['mean']].shape == (layer.n_out,))
    parts = next(fits, None) if fc.batch_norm else None
    if parts is not None:
      free.remove(parts)
      slots.update({name: Slot(scope, part) for part, name in parts.items()})
  return {name: slot for name, slot in slots.items() if slot.part in names.OUR_NAMES}


def _is_cut(
  spec: NetSpec,
  foreign: ForeignWeights,
  layers: dict[str, dict[str, str]],
  chain: list[DenseLayer],
  named: dict[str, Slot],
) -> bool:
  """Whether the chain ends in a layer like fc7, so that the layer for the class scores is missing.

  torch numbers the layers of a head, so that its names say nothing about their meaning.
  """
  last = chain[-1]
  slot = named.get(layers[last.name]['kernel'])
  is_hidden = slot is not None and slot.layer != spec.fc_scopes[-1]
  return is_hidden and last.n_in == last.n_out and foreign.framework != 'torch'
