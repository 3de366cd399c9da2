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
    near = _similar(name)
    hint = f' Did you mean {f"{near}{is_thin}{channels}"!r}?' if near else ''
    raise ConfigError(f'Unknown model {model!r}.{hint} Expected one of {", ".join(MODEL_NAMES)}.')
  if not is_thin:
    return NETWORKS[row]
  if not re.fullmatch('[1-9][0-9]*', channels):
    raise ConfigError(
      f'Unknown model {model!r}: @ must be followed by the number of channels in the first stage, '
      f'as in {name}@8.'
    )
  return NETWORKS[row].thin(int(channels))


def _similar(name: str) -> str | None:
  """Returns the name that differs in case, '-' and '_' only, or the nearest one."""
  by_key = {_key(known): known for known in reversed(MODEL_NAMES)}
  key = _key(name)
  near = [key] if key in by_key else difflib.get_close_matches(key, by_key, n=len(by_key))
  # Of equally near names, such as vgg11 and vgg16 for vgg61, the one with the same characters.
  return min((by_key[n] for n in near), key=lambda n: sorted(_key(n)) != sorted(key), default=None)


def _key(name: str) -> str:
  return re.sub('[-_ ]', '', name.lower())
