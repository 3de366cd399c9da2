"""Heads: what stands between the last feature map and the class scores. No TensorFlow."""

from typing import NamedTuple

from vgg_slim.errors import ConfigError


class Fc(NamedTuple):
  """A hidden fully-connected layer.

  Attributes:
    units: None for the caller's `fc_units`.
    batch_norm: whether batch norm takes the place of its bias.
    relu: False for a linear layer.
    dropout: whether dropout follows.
  """

  units: int | None
  batch_norm: bool = False
  relu: bool = True
  dropout: bool = True


class Head(NamedTuple):
  """Hidden layers below the linear layer of the class scores, which every head has.

  Attributes:
    hidden: at most two rows.
    input_dropout: whether dropout stands before the first layer.
    average: whether the last map is averaged first, also in networks that would read all of it.
  """

  hidden: tuple[Fc, ...] = ()
  input_dropout: bool = False
  average: bool = False


HEADS: dict[str, Head] = {
  # Simonyan & Zisserman (2015), Table 1: 4096, 4096; half the units in low-memory versions.
  'vgg': Head((Fc(None), Fc(None))),
  # Class scores straight from the features, as He et al. (2016).
  'linear': Head(),
  # The usual new tops for fine-tuning on few classes.
  'fc512_512': Head((Fc(512), Fc(512))),
  'fc256': Head((Fc(256),)),
  # Tops for bottleneck features with far fewer weights: 512 inputs in VGG's place of 7x7x512.
  'average': Head(average=True),
  'average_fc256': Head((Fc(256),), average=True),
  # PaddlePaddle's `vgg_bn_drop` for CIFAR-10; its second layer is linear in the original, too.
  'cifar': Head((Fc(512, batch_norm=True), Fc(512, relu=False, dropout=False)), input_dropout=True),
}


def get(head: str) -> Head:
  """Returns the row of `head`, a name of HEADS.

  Raises:
    ConfigError: no such head.
  """
  if head not in HEADS:
    raise ConfigError(f'Unknown head {head!r}; expected one of {", ".join(HEADS)}.')
  return HEADS[head]
