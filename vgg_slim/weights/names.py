"""Maps foreign layer names to ours, derived from the tables of `nets.specs`. No TensorFlow.

One dict knows the names of slim, Keras applications, torchvision, timm and the first VGG16 `.npz`
(`conv1_1_W`). None of these names means different layers in different frameworks.
"""

import collections
import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from vgg_slim.errors import WeightMismatchError
from vgg_slim.nets import specs
from vgg_slim.nets.net_spec import Layer, NetSpec
from vgg_slim.nets.resnet import BOTTLENECK, ResNetSpec
from vgg_slim.nets.vgg import VggSpec
from vgg_slim.weights.foreign import ForeignWeights


class Slot(NamedTuple):
  """One of our variables.

  Attributes:
    layer: scope of the layer, below the network's scope.
    part: a key of OUR_NAMES.
  """

  layer: str
  part: str


class Alias(NamedTuple):
  """The meaning of a foreign layer name.

  Attributes:
    layer: scope of our layer.
    is_norm: whether the foreign layer is the batch norm that follows it.
    style: framework whose network uses the name: 'slim', 'keras' or 'torch'.
  """

  layer: str
  is_norm: bool
  style: str


OUR_NAMES = {
  'kernel': 'weights',
  'bias': 'biases',
  'gamma': 'BatchNorm/gamma',
  'beta': 'BatchNorm/beta',
  'mean': 'BatchNorm/moving_mean',
  'variance': 'BatchNorm/moving_variance',
}

# Last component of a foreign name -> part, for layers and for batch norms.
LAYER_PARTS = {
  **dict.fromkeys(('weights', 'kernel', 'weight', 'W'), 'kernel'),
  **dict.fromkeys(('biases', 'bias', 'b'), 'bias'),
}
NORM_PARTS = {
  **dict.fromkeys(('gamma', 'weight'), 'gamma'),
  **dict.fromkeys(('beta', 'bias'), 'beta'),
  **dict.fromkeys(('moving_mean', 'running_mean'), 'mean'),
  **dict.fromkeys(('moving_variance', 'running_var'), 'variance'),
}

# Position of the stride in the bottlenecks of each style: unit of a block, index of a convolution.
_RESNET_STRIDES = {'slim': ('last', 1), 'keras': ('first', 0), 'torch': ('first', 1)}
_STYLE_OWNERS = {'slim': 'tf_slim', 'keras': 'Keras applications', 'torch': 'torchvision'}


def split(name: str) -> tuple[str, str]:
  """Splits a name into layer and part: 'features.0.weight' -> ('features.0', 'weight').

  The separator may also be '/', and the '_' of 'conv1_1_W'.
  """
  match = re.fullmatch(r'(.+)[./]([^./]+)', name) or re.fullmatch(r'(.+)_([Wb])', name)
  return (match[1], match[2]) if match else ('', name)


def our_name(slot: Slot) -> str:
  """Variable name below the network's scope, such as 'conv1/conv1_1/BatchNorm/gamma'."""
  return f'{slot.layer}/{OUR_NAMES[slot.part]}'


def trunk_convolutions(spec: NetSpec) -> list[Layer]:
  """The layers with weights below the head, in the order of the network."""
  return [layer for layer in spec.trunk_layers() if layer.has_weights]


def aliases(spec: NetSpec) -> dict[str, Alias]:
  """All foreign names for layers of `spec`, including those of every head, with their meanings."""
  table = {}
  for scope in (*(layer.name for layer in trunk_convolutions(spec)), *spec.fc_scopes):
    for separator in '/.':
      name = scope.replace('/', separator)
      table[name] = Alias(scope, False, 'slim')
      table[f'{name}{separator}BatchNorm'] = Alias(scope, True, 'slim')
  for style, scope, name, norm in _rows(spec):
    table.setdefault(name, Alias(scope, False, style))
    table.setdefault(norm, Alias(scope, True, style))
  return table


def names_of(spec: NetSpec, style: str) -> dict[str, tuple[str, str]]:
  """The names (layer, batch norm) that 'keras' applications or 'torch'vision give our layers.

  A ResNet with other strides has its own scopes with dots, so that nobody takes it for theirs.
  """
  if _differs_in_strides(spec, style):
    scopes = (*(layer.name for layer in trunk_convolutions(spec)), *spec.fc_scopes)
    dotted = {scope: scope.replace('/', '.') for scope in scopes}
    return {scope: (name, f'{name}.BatchNorm') for scope, name in dotted.items()}
  names: dict[str, tuple[str, str]] = {}
  for owner, layer, name, norm in _rows(spec):
    if owner == style:
      names.setdefault(layer, (name, norm))
  return names


def link(spec: NetSpec, foreign: ForeignWeights) -> dict[str, Slot]:
  """Finds the slot of every foreign array with a known name.

  In a larger network, names such as 'conv1' may occur in several parts. Of several arrays for one
  slot, the one in the part that holds most of the known names is taken.

  Returns:
    Slots by foreign name, in the order of the file.

  Raises:
    WeightMismatchError: two arrays have the same slot, or a ResNet has its strides elsewhere.
  """
  table = aliases(spec)
  renumbered = foreign.framework == 'onnx'
  candidates = {name: _find(table, name, renumbered) for name in foreign.arrays}
  matches = {name: match for name, match in candidates.items() if match is not None}
  matches = _drop_other_parts(matches)
  _check_unique({name: match.slot for name, match in matches.items()})
  styles = {match.style for match in matches.values() if '/unit_' in match.slot.layer}
  check_strides(spec, styles)
  return {name: match.slot for name, match in matches.items()}


def in_trunks_of_family(spec: NetSpec, names: Iterable[str]) -> list[str]:
  """Returns the arrays whose names are those of trunk layers in any network like `spec`.

  Args:
    spec: a network of the family.
    names: foreign names of arrays.
  """
  tables = [
    {name: alias for name, alias in aliases(row).items() if alias.layer not in row.fc_scopes}
    for row in specs.NETWORKS.values()
    if type(row) is type(spec)
  ]
  return [name for name in names if any(_find(table, name, False) for table in tables)]


class _Match(NamedTuple):
  """A foreign array with a known name.

  Attributes:
    slot: our variable.
    style: framework whose network uses the name.
    prefix: scope of the name that was ignored.
  """

  slot: Slot
  style: str
  prefix: str


def _drop_other_parts(matches: dict[str, _Match]) -> dict[str, _Match]:
  sizes = collections.Counter(match.prefix for match in matches.values())
  largest: dict[Slot, int] = {}
  for match in matches.values():
    largest[match.slot] = max(largest.get(match.slot, 0), sizes[match.prefix])
  return {name: m for name, m in matches.items() if sizes[m.prefix] == largest[m.slot]}


def _find(table: dict[str, Alias], name: str, renumbered: bool) -> _Match | None:
  """Looks up a name without the prefixes of scopes and nested models, and without ':0'.

  Args:
    table: meanings of foreign layer names.
    name: foreign name of an array.
    renumbered: whether an exporter may have appended numbers to the names of layers.
  """
  layer, part = split(name.removesuffix(':0'))
  for candidate, prefix in _candidates(layer, renumbered):
    alias = table.get(candidate)
    if alias is not None:
      parts = NORM_PARTS if alias.is_norm else LAYER_PARTS
      return _Match(Slot(alias.layer, parts[part]), alias.style, prefix) if part in parts else None
  return None


def _candidates(layer: str, renumbered: bool) -> Iterator[tuple[str, str]]:
  # Exporters append a number to make names unique: block1_conv1_1 for block1_conv1.
  for name in (layer, re.sub(r'_\d+$', '', layer)) if renumbered else (layer,):
    yield name, ''
    for match in re.finditer(r'[./]', name):
      yield name[match.end() :], name[: match.end()]


def _check_unique(slots: dict[str, Slot]) -> None:
  owners: dict[Slot, list[str]] = {}
  for name, slot in slots.items():
    owners.setdefault(slot, []).append(name)
  repeated = [f'{our_name(s)} <- {" and ".join(n)}' for s, n in owners.items() if len(n) > 1]
  if repeated:
    raise WeightMismatchError(f'Several arrays belong to one variable: {"; ".join(repeated)}.')


def check_strides(spec: NetSpec, styles: set[str]) -> None:
  """Raises WeightMismatchError if a ResNet has its strides elsewhere, which no shape reveals."""
  for style in sorted(styles - {'slim'}):
    if isinstance(spec, ResNetSpec) and _differs_in_strides(spec, style):
      unit, conv = _RESNET_STRIDES[style]
      raise WeightMismatchError(
        f"The ResNet of {_STYLE_OWNERS[style]} strides in convolution {conv + 1} of a block's "
        f'{unit} unit, {spec.name} in convolution {spec.stride_conv + 1} of the '
        f'{spec.stride_unit} one: the weights would fit by shape but compute something else.'
      )


def _differs_in_strides(spec: NetSpec, style: str) -> bool:
  if not isinstance(spec, ResNetSpec) or spec.unit_kind != BOTTLENECK:
    return False
  return _RESNET_STRIDES[style] != (spec.stride_unit, spec.stride_conv)


Row = tuple[str, str, str, str]  # style, our layer, foreign layer, foreign batch norm


def _vgg_rows(spec: VggSpec) -> Iterator[Row]:
  index = 0  # of torchvision's `features`
  step = 3 if spec.batch_norm else 2  # convolution, batch norm, ReLU
  for s, stage in enumerate(spec.stages, start=1):
    for u in range(1, len(stage) + 1):
      ours = spec.conv_scope(s, u)
      keras, flat = f'block{s}_conv{u}', f'conv{s}_{u}'
      yield 'keras', ours, keras, f'{keras}_bn'
      yield 'slim', ours, flat, f'{flat}/BatchNorm'
      yield 'torch', ours, f'features.{index}', f'features.{index + 1}'
      index += step
    index += 1  # the pool
  head_names = (
    ('fc1', 'fc6', 'classifier.0', 'pre_logits.fc1'),
    ('fc2', 'fc7', 'classifier.3', 'pre_logits.fc2'),
    ('predictions', 'fc8', 'classifier.6', 'head.fc'),
  )
  for ours, (keras, slim, torch, timm) in zip(spec.fc_scopes, head_names, strict=True):
    yield 'keras', ours, keras, f'{keras}_bn'
    yield 'slim', ours, slim, f'{slim}/BatchNorm'
    yield 'torch', ours, torch, f'{torch}.bn'
    yield 'torch', ours, timm, f'{timm}.bn'


def _resnet_rows(spec: ResNetSpec) -> Iterator[Row]:
  yield 'keras', 'conv1', 'conv1_conv', 'conv1_bn'
  yield 'keras', 'conv1', 'conv1', 'bn_conv1'
  yield 'torch', 'conv1', 'conv1', 'bn1'
  for unit in spec.units():
    block, number = unit.position
    current = f'conv{block + 1}_block{number}'
    old = f'{block + 1}{chr(ord("a") + number - 1)}_branch'  # Keras until 2018
    torch = f'layer{block}.{number - 1}'
    branches = [
      (f'conv{i}', i, f'2{letter}', f'conv{i}', f'bn{i}')
      for i, letter in enumerate('abc'[: len(unit.kernels)], start=1)
    ]
    if unit.projection:
      branches.insert(0, ('shortcut', 0, '1', 'downsample.0', 'downsample.1'))
    for ours, i, letter, conv, norm in branches:
      scope = f'{unit.scope}/{ours}'
      yield 'keras', scope, f'{current}_{i}_conv', f'{current}_{i}_bn'
      yield 'keras', scope, f'res{old}{letter}', f'bn{old}{letter}'
      yield 'torch', scope, f'{torch}.{conv}', f'{torch}.{norm}'
  *hidden, scores = spec.fc_scopes
  for ours, keras in zip(hidden, ('fc1', 'fc2'), strict=True):
    yield 'keras', ours, keras, f'{keras}_bn'
  yield 'keras', scores, 'predictions', 'predictions_bn'
  yield 'keras', scores, 'fc1000', 'fc1000_bn'
  yield 'torch', scores, 'fc', 'fc.bn'


# Families that are not listed have only tf-slim's names.
_ROWS: dict[type, Callable[..., Iterator[Row]]] = {VggSpec: _vgg_rows, ResNetSpec: _resnet_rows}


def _rows(spec: NetSpec) -> Iterator[Row]:
  family = _ROWS.get(type(spec))
  return family(spec) if family else iter(())
