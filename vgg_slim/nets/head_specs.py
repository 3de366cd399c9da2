"""Heads: the layers between the last feature map and the class scores. No TensorFlow."""

import re
from typing import NamedTuple

from vgg_slim.errors import ConfigError


class Fc(NamedTuple):
  """A hidden fully-connected layer.

  Attributes:
    units: number of units; None for the caller's `fc_units`.
    batch_norm: whether batch norm replaces the bias.
    relu: whether a ReLU follows; False for a linear layer.
    dropout: whether dropout follows.
  """

  units: int | None
  batch_norm: bool = False
  relu: bool = True
  dropout: bool = True


class Head(NamedTuple):
  """The hidden layers below the linear layer for the class scores, which every head has.

  Attributes:
    hidden: hidden layers in order, at most two.
    input_dropout: whether dropout precedes the first layer.
    average: whether the last feature map is averaged first, even in networks such as VGG whose own
      head reads a window of it.
  """

  hidden: tuple[Fc, ...] = ()
  input_dropout: bool = False
  average: bool = False


HEADS: dict[str, Head] = {
  # Simonyan & Zisserman (2015), Table 1: two layers of `fc_units` units, 4096 in the paper.
  'vgg': Head((Fc(None), Fc(None))),
  # Class scores directly from the features, as in He et al. (2016).
  'linear': Head(),
  # Common new heads for fine-tuning on few classes.
  'fc512_512': Head((Fc(512), Fc(512))),
  'fc256': Head((Fc(256),)),
  # Heads for bottleneck features with far fewer weights: with VGG 512 inputs, not 7x7x512.
  'average': Head(average=True),
  'average_fc256': Head((Fc(256),), average=True),
  # PaddlePaddle's `vgg_bn_drop` for CIFAR-10, whose second layer is linear too.
  'cifar': Head((Fc(512, batch_norm=True), Fc(512, relu=False, dropout=False)), input_dropout=True),
}


_BY_UNITS = re.compile('(average_)?fc([1-9][0-9]*)(?:_([1-9][0-9]*))?')


def get(head: str) -> Head:
  """Returns the head named `head` in HEADS, or one that `by_units` names.

  Raises:
    ConfigError: there is no such head.
  """
  if head in HEADS:
    return HEADS[head]
  match = _BY_UNITS.fullmatch(head)
  if match is None:
    raise ConfigError(
      f'Unknown head {head!r}; expected one of {", ".join(HEADS)}, or units as in fc128, fc512_256 '
      'and average_fc128.'
    )
  return Head(
    tuple(Fc(int(units)) for units in match.groups()[1:] if units), average=bool(match[1])
  )


def by_units(units: tuple[int, ...], average: bool) -> str:
  """Returns the name of the head with these hidden layers, each with a ReLU.

  Args:
    units: number of units of each hidden layer, at most two.
    average: whether the last feature map is averaged first.
  """
  if not units:
    return 'average' if average else 'linear'
  return f'{"average_" * average}fc{"_".join(map(str, units))}'


def has_free_units(head: str) -> bool:
  """Whether the caller's `fc_units` decides the number of units of hidden layers."""
  return any(fc.units is None for fc in get(head).hidden)


def has_dropout(head: str) -> bool:
  """Whether there is dropout before or after a hidden layer."""
  row = get(head)
  return row.input_dropout or any(fc.dropout for fc in row.hidden)
