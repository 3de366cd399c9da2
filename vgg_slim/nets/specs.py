"""All networks by name, with their exact numbers of parameters. No TensorFlow.

The tables are in `vgg` and `resnet`; `net_spec` contains what all rows share.
"""

import collections
import difflib
import re
from collections.abc import Mapping

from vgg_slim.errors import ConfigError
from vgg_slim.nets.net_spec import NetSpec
from vgg_slim.nets.resnet import RESNET, ResNetSpec
from vgg_slim.nets.vgg import ALIASES, VGG, Conv, VggSpec

__all__ = [
  'ALIASES',
  'MODEL_NAMES',
  'NETWORKS',
  'RESNET',
  'VGG',
  'Conv',
  'NetSpec',
  'ResNetSpec',
  'VggSpec',
  'get',
]

# A ChainMap sees rows that a test or a caller adds to a table.
NETWORKS: Mapping[str, NetSpec] = collections.ChainMap(VGG, RESNET)  # type: ignore[arg-type]

MODEL_NAMES = tuple(sorted(NETWORKS)) + tuple(sorted(ALIASES))


def get(model: str) -> NetSpec:
  """Returns the network `model`, a name in MODEL_NAMES, or a thin version of it.

  'vgg_d@8' is configuration D with 8 channels in its first stage instead of the paper's 64, and
  proportionally fewer in all others: a network for small images, quick experiments and tests.

  Raises:
    ConfigError: there is no such network; the message suggests a similar name.
  """
  name, is_thin, channels = model.partition('@')
  row = ALIASES.get(name, name)
  if row not in NETWORKS:
    near = difflib.get_close_matches(name, MODEL_NAMES, n=1)
    hint = f' Did you mean {near[0]!r}?' if near else ''
    raise ConfigError(f'Unknown model {model!r}.{hint} Expected one of {", ".join(MODEL_NAMES)}.')
  if not is_thin:
    return NETWORKS[row]
  if not re.fullmatch('[1-9][0-9]*', channels):
    raise ConfigError(
      f'Unknown model {model!r}: @ must be followed by the number of channels in the first stage, '
      f'as in {name}@8.'
    )
  return NETWORKS[row].thin(int(channels))
