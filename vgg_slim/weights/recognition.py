"""Recognizes the network of a file: its head, classes and image size. No TensorFlow."""

import dataclasses
import math
from typing import NamedTuple

from vgg_slim.configs.net import Network
from vgg_slim.constants import FC_UNITS, NUM_IMAGENET_CLASSES
from vgg_slim.nets import head_specs, specs
from vgg_slim.nets.net_spec import NetSpec
from vgg_slim.weights.foreign import ForeignWeights
from vgg_slim.weights.names import Slot


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wishes:
  """What the user says about the network of a file; None where the file decides.

  Attributes:
    num_classes: number of classes; 1 for a single sigmoid.
    head: name of the head in `head_specs`.
    image_size: side of the images, in pixels, at which the class score map is 1x1.
    fc_units: number of units of hidden layers for which the head specifies none.
    trunk_only: whether the head is left out.
  """

  num_classes: int | None = None
  head: str | None = None
  image_size: int | None = None
  fc_units: int | None = None
  trunk_only: bool = False


def recognize(
  spec: NetSpec,
  model: str,
  foreign: ForeignWeights,
  slots: dict[str, Slot],
  wishes: Wishes = Wishes(),
) -> Network:
  """Returns the identity of the network, from the wishes and from the shapes of the head.

  Values that neither determines are the published ones; the comparison of shapes then reports each
  mismatch. A file without a head is taken for one of 1000 classes, so that the variables that are
  missing can be listed.
  """
  image_size = wishes.image_size or foreign.image_size
  if wishes.trunk_only:
    return Network(None, model, image_size=image_size or spec.image_size)
  found = _find_head(spec, foreign, slots)
  num_logits = wishes.num_classes or (found and found.num_logits) or NUM_IMAGENET_CLASSES
  head = wishes.head or spec.head
  if found and not wishes.head and not wishes.fc_units:
    head = _name_head(spec, found, image_size)
  return Network(
    2 if num_logits == 1 else num_logits,
    model,
    head=None if head == spec.head else head,
    image_size=image_size or _image_size(spec, head, found),
    fc_units=wishes.fc_units or _fc_units(head, found),
    classifier_activation='sigmoid' if num_logits == 1 else 'softmax',
  )


def describe_assumption(
  spec: NetSpec,
  network: Network,
  foreign: ForeignWeights,
  slots: dict[str, Slot],
  wishes: Wishes = Wishes(),
) -> str:
  """Returns what was assumed about a head whose shapes fit two networks, or '' if nothing was.

  A layer with one input per channel reads an average of the last map, or a map of a single cell.
  """
  found = None if network.is_trunk else _find_head(spec, foreign, slots)
  is_known = spec.average or wishes.image_size or foreign.image_size
  if is_known or found is None or found.side != 1:
    return ''
  text = 'the head reads one value per channel, which the file does not explain: assuming '
  if spec.averages(network.head):
    return (
      f'{text}global average pooling at {network.image_size} pixels; if the network was built for '
      f'{spec.stride} pixels, give --image_size={spec.stride}.'
    )
  return (
    f'{text}images of {network.image_size} pixels, whose last map is a single cell; if the network '
    f'averages a larger map, give --image_size={spec.image_size}.'
  )


def variable_shapes(network: Network) -> dict[str, tuple[int, ...]]:
  """Shapes of all variables, including moving statistics, by name below the network's scope."""
  spec = specs.get(network.model)
  sizes = (network.num_logits, network.image_size, network.fc_units, network.head)
  return {**spec.parameter_shapes(*sizes), **spec.non_trainable_shapes(*sizes)}


class _FoundHead(NamedTuple):
  """The head of a file.

  Attributes:
    hidden: numbers of units of the hidden layers, in order.
    has_norm: whether a hidden layer has batch norm.
    num_logits: number of class scores; None if their layer is missing.
    side: side of the map that the first layer reads; None if it is not a square.
  """

  hidden: tuple[int, ...]
  has_norm: bool
  num_logits: int | None
  side: int | None


def _find_head(spec: NetSpec, foreign: ForeignWeights, slots: dict[str, Slot]) -> _FoundHead | None:
  in_head = {name: slot for name, slot in slots.items() if slot.layer in spec.fc_scopes}
  shapes = {s.layer: foreign.kernel_shape(n) for n, s in in_head.items() if s.part == 'kernel'}
  scopes = [scope for scope in spec.fc_scopes if scope in shapes]
  if not scopes:
    return None
  n_in, channels = math.prod(shapes[scopes[0]][:-1]), spec.trunk_layers()[-1].channels
  side = math.isqrt(n_in // channels)
  scores = shapes.get(spec.fc_scopes[-1])
  return _FoundHead(
    hidden=tuple(shapes[scope][-1] for scope in scopes if scope != spec.fc_scopes[-1]),
    has_norm=any(slot.part == 'mean' for slot in in_head.values()),
    num_logits=scores[-1] if scores else None,
    side=side if side >= 1 and n_in == side * side * channels else None,
  )


def _name_head(spec: NetSpec, found: _FoundHead, image_size: int | None) -> str:
  """Returns the name of the head: the network's own, or the one with these hidden layers."""
  averages = False
  if not spec.average and found.side == 1:
    averages = image_size is None or spec.map_side(image_size) > 1
  name = head_specs.by_units(found.hidden, averages)
  own = head_specs.get(spec.head)
  is_own = _fits(own, found) and (not averages or (image_size is None and own.hidden))
  is_free = head_specs.has_free_units(spec.head)
  return spec.head if is_own and not (is_free and name in head_specs.HEADS) else name


def _fits(head: head_specs.Head, found: _FoundHead) -> bool:
  """Whether a head has the hidden layers of the file."""
  free = {units for fc, units in zip(head.hidden, found.hidden, strict=False) if not fc.units}
  return (
    len(head.hidden) == len(found.hidden)
    and all(fc.units in (None, n) for fc, n in zip(head.hidden, found.hidden, strict=True))
    and len(free) <= 1
    and any(fc.batch_norm for fc in head.hidden) == found.has_norm
  )


def _fc_units(head: str, found: _FoundHead | None) -> int:
  return found.hidden[0] if found and found.hidden and head_specs.has_free_units(head) else FC_UNITS


def _image_size(spec: NetSpec, head: str, found: _FoundHead | None) -> int:
  side = found and found.side
  if not side or spec.averages(head) or spec.fc_kernel(spec.image_size, head) == side:
    return spec.image_size
  return side * spec.stride
