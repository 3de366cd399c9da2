"""All networks by name, with their exact numbers of parameters. No TensorFlow.

The tables are in `vgg_specs` and `resnet_specs`; `net_spec` contains what all rows share.
"""

import collections
import difflib
import re

from vgg_slim.errors import ConfigError
from vgg_slim.nets.net_spec import NetSpec
from vgg_slim.nets.resnet_specs import RESNET, ResNetSpec
from vgg_slim.nets.vgg_specs import ALIASES, VGG, Conv, VggSpec

__all__ = [
  'ALIASES',
  'MODEL_NAMES',
  'MOVING_STATISTICS',
  'NETWORKS',
  'PARAMETERS',
  'RESNET',
  'VGG',
  'Conv',
  'NetSpec',
  'ResNetSpec',
  'VggSpec',
  'get',
]

NETWORKS = collections.ChainMap(VGG, RESNET)

MODEL_NAMES = tuple(sorted(NETWORKS)) + tuple(sorted(ALIASES))

# Numbers of trainable parameters, including biases, for 1000 classes and the network's own image
# size; Table 2 of the VGG paper rounds them.
PARAMETERS = {
  'vgg_a': 132_863_336,
  'vgg_a_lrn': 132_863_336,
  'vgg_b': 133_047_848,
  'vgg_c': 133_638_952,
  'vgg_d': 138_357_544,
  'vgg_e': 143_667_240,
  'vgg_a_bn': 132_866_088,
  'vgg_b_bn': 133_050_792,
  'vgg_c_bn': 133_643_176,
  'vgg_d_bn': 138_361_768,
  'vgg_e_bn': 143_672_744,
  'vgg_cifar': 15_757_736,
  'resnet50': 25_583_592,
  'resnet50_keras': 25_583_592,
  'resnet50_torchvision': 25_557_032,
  'resnet_v1_50': 25_557_032,
  'resnet_v1_101': 44_549_160,
  'resnet_v1_152': 60_192_808,
}

# Numbers of values in moving means and variances of batch norm, which are saved but not trained.
MOVING_STATISTICS = {
  'vgg_a': 0,
  'vgg_a_lrn': 0,
  'vgg_b': 0,
  'vgg_c': 0,
  'vgg_d': 0,
  'vgg_e': 0,
  'vgg_a_bn': 5_504,
  'vgg_b_bn': 5_888,
  'vgg_c_bn': 8_448,
  'vgg_d_bn': 8_448,
  'vgg_e_bn': 11_008,
  'vgg_cifar': 9_472,
  'resnet50': 53_120,
  'resnet50_keras': 53_120,
  'resnet50_torchvision': 53_120,
  'resnet_v1_50': 53_120,
  'resnet_v1_101': 105_344,
  'resnet_v1_152': 151_424,
}


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
