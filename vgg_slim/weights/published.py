"""The weights for ImageNet that Keras, torchvision and tf-slim publish, as data. No TensorFlow.

The addresses and checksums are those in the sources of Keras 3.15 (keras/src/applications) and
torchvision 0.28 (torchvision/models), and the addresses of tf-slim those in the README of
tensorflow/models/research/slim. The names of torchvision's files contain the first eight digits of
their SHA-256; for tf-slim's files no checksum is published. All take images of 224 pixels.
"""

from typing import NamedTuple

from vgg_slim.checkpoints.contract import Contract
from vgg_slim.configs.net import Network
from vgg_slim.constants import IMAGENET_RGB_MEAN, NUM_IMAGENET_CLASSES
from vgg_slim.data import imagenet_classes
from vgg_slim.errors import ConfigError
from vgg_slim.nets import specs
from vgg_slim.preprocessing import test_scales
from vgg_slim.preprocessing.description import Preprocessing


class Publisher(NamedTuple):
  """What the files of one publisher have in common.

  Attributes:
    name: name of the publisher.
    framework: framework of the files, as in `ForeignWeights`.
    bgr: whether the networks take B, G, R.
    rgb_mean: mean that is subtracted from R, G, B in 0..255.
    rgb_std: divisor of R, G, B afterwards, or None.
    address: URL that all addresses begin with.
  """

  name: str
  framework: str
  bgr: bool
  rgb_mean: tuple[float, float, float]
  rgb_std: tuple[float, float, float] | None
  address: str


KERAS = Publisher(
  'Keras',
  'keras',
  bgr=True,
  rgb_mean=IMAGENET_RGB_MEAN,
  rgb_std=None,
  address='https://storage.googleapis.com/tensorflow/keras-applications/',
)
# 255 times the mean (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224, 0.225).
TORCHVISION = Publisher(
  'torchvision',
  'torch',
  bgr=False,
  rgb_mean=(123.675, 116.28, 103.53),
  rgb_std=(58.395, 57.12, 57.375),
  address='https://download.pytorch.org/models/',
)
SLIM = Publisher(
  'tf-slim',
  'slim',
  bgr=False,
  rgb_mean=IMAGENET_RGB_MEAN,
  rgb_std=None,
  # The README has http://download.tensorflow.org/models/; this is the same bucket by HTTPS.
  address='https://storage.googleapis.com/download.tensorflow.org/models/',
)

# Keras and tf-slim converted the networks of the papers' authors.
_OXFORD = 'Creative Commons Attribution (VGG, University of Oxford)'
_HE = 'MIT (Kaiming He)'
_TORCH = 'BSD-3-Clause (torchvision); see its note on the terms of the training data'


class PublishedFile(NamedTuple):
  """One file.

  Attributes:
    name: name for --weights.
    publisher: who published it.
    model: our network, one of `specs.NETWORKS`.
    path: address below `publisher.address`.
    checksum: 'md5:HEX' or 'sha256:HEX', of which HEX may be only the first digits; None if the
      publisher gives none.
    megabytes: size in 10**6 bytes; None where none is published.
    license: license of the weights.
    has_head: whether the file holds the head for 1,000 classes.
  """

  name: str
  publisher: Publisher
  model: str
  path: str
  checksum: str | None
  megabytes: float | None
  license: str
  has_head: bool = True

  @property
  def url(self) -> str:
    return f'{self.publisher.address}{self.path}'

  @property
  def file(self) -> str:
    """Name of the file, which is also its name in the caches of Keras and torch."""
    return self.path.rpartition('/')[2]


def _keras(
  name: str, model: str, path: str, md5: str, size: int, license: str, top: bool = True
) -> PublishedFile:
  checksum = f'md5:{md5}'
  return PublishedFile(f'keras/{name}', KERAS, model, path, checksum, size / 1e6, license, top)


def _torch(name: str, model: str, file: str, mebibytes: float) -> PublishedFile:
  digits = file.removesuffix('.pth').rpartition('-')[2]
  size = mebibytes * 2**20 / 1e6
  return PublishedFile(
    f'torchvision/{name}', TORCHVISION, model, file, f'sha256:{digits}', size, _TORCH
  )


def _slim(name: str, model: str, license: str, size: int | None = None) -> PublishedFile:
  file = f'{name}_2016_08_28.tar.gz'
  megabytes = size and size / 1e6
  return PublishedFile(f'slim/{name}', SLIM, model, file, None, megabytes, license)


_VGG16 = 'vgg16/vgg16_weights_tf_dim_ordering_tf_kernels'
_VGG19 = 'vgg19/vgg19_weights_tf_dim_ordering_tf_kernels'
_RESNET50 = 'resnet/resnet50_weights_tf_dim_ordering_tf_kernels'

# For each network the first file, of those with or without a head, is that of --weights=imagenet.
FILES = (
  _keras('vgg16', 'vgg_d', f'{_VGG16}.h5', '64373286793e3c8b2b4e3219cbf3544b', 553467096, _OXFORD),
  _keras(
    'vgg16_notop',
    'vgg_d',
    f'{_VGG16}_notop.h5',
    '6d6bbae143d832006294945121d1f1fc',
    58889256,
    _OXFORD,
    top=False,
  ),
  _keras('vgg19', 'vgg_e', f'{_VGG19}.h5', 'cbe5617147190e668d6c5d5026f83318', 574710816, _OXFORD),
  _keras(
    'vgg19_notop',
    'vgg_e',
    f'{_VGG19}_notop.h5',
    '253f8cb515780f3b799900260a226db6',
    80134624,
    _OXFORD,
    top=False,
  ),
  _keras(
    'resnet50',
    'resnet50_keras',
    f'{_RESNET50}.h5',
    '2cb95161c43110f7111970584f804107',
    102967424,
    _HE,
  ),
  _keras(
    'resnet50_notop',
    'resnet50_keras',
    f'{_RESNET50}_notop.h5',
    '4d473c1dd8becc155b73f8504c6f6626',
    94765736,
    _HE,
    top=False,
  ),
  _torch('vgg11', 'vgg_a', 'vgg11-8a719046.pth', 506.84),
  _torch('vgg11_bn', 'vgg_a_bn', 'vgg11_bn-6002323d.pth', 506.881),
  _torch('vgg13', 'vgg_b', 'vgg13-19584684.pth', 507.545),
  _torch('vgg13_bn', 'vgg_b_bn', 'vgg13_bn-abd245e5.pth', 507.59),
  _torch('vgg16', 'vgg_d', 'vgg16-397923af.pth', 527.796),
  _torch('vgg16_bn', 'vgg_d_bn', 'vgg16_bn-6c64b313.pth', 527.866),
  _torch('vgg19', 'vgg_e', 'vgg19-dcbb9e9d.pth', 548.051),
  _torch('vgg19_bn', 'vgg_e_bn', 'vgg19_bn-c79401a0.pth', 548.143),
  _torch('resnet18', 'resnet18', 'resnet18-f37072fd.pth', 44.661),
  _torch('resnet34', 'resnet34', 'resnet34-b627a593.pth', 83.275),
  _torch('resnet50_v2', 'resnet50_torchvision', 'resnet50-11ad3fa6.pth', 97.79),
  _torch('resnet50_v1', 'resnet50_torchvision', 'resnet50-0676ba61.pth', 97.781),
  _slim('vgg_16', 'vgg_d', _OXFORD, 513324920),
  _slim('vgg_19', 'vgg_e', _OXFORD),
  _slim('resnet_v1_50', 'resnet_v1_50', _HE),
  _slim('resnet_v1_101', 'resnet_v1_101', _HE),
  _slim('resnet_v1_152', 'resnet_v1_152', _HE),
)

IMAGENET = 'imagenet'


def choose(weights: str, model: str, needs_head: bool) -> PublishedFile:
  """Returns the file that --weights names.

  Args:
    weights: IMAGENET, for the first file that fits the model, or the name of a file.
    model: one of `specs.MODEL_NAMES`.
    needs_head: whether the head is needed. Otherwise a file without it is preferred, as it is
      smaller.

  Raises:
    ConfigError: there is no such file, or it does not fit; the message lists those that do.
  """
  name = specs.ALIASES.get(model, model)
  fitting = [file for file in FILES if file.model == name and (file.has_head or not needs_head)]
  named = [file for file in FILES if file.name == weights]
  if weights != IMAGENET and not named:
    raise ConfigError(
      f'--weights={weights} is neither {IMAGENET!r}, a file, nor the name of published weights; '
      'tools/weights lists those.'
    )
  if named and named[0] not in fitting:
    lack = f'is for --model={named[0].model}, not {model}'
    raise ConfigError(
      f'--weights={weights} {lack if named[0].model != name else "lacks the head"}; '
      f'{_list_names(fitting)}.'
    )
  if not fitting:
    models = sorted({file.model for file in FILES})
    raise ConfigError(
      f'--weights={weights}: no weights are published for --model={model}; there are some for '
      f'{", ".join(models)}.'
    )
  return named[0] if named else min(fitting, key=lambda file: file.has_head)


def expected_contract(file: PublishedFile, model: str, needs_head: bool) -> Contract:
  """Returns the contract that the checkpoint of a file will have, except for its source.

  Args:
    file: the file.
    model: name of the network for the contract.
    needs_head: whether the head is imported.
  """
  side = specs.get(model).image_size
  network = Network(NUM_IMAGENET_CLASSES if needs_head else None, model, image_size=side)
  pixels = Preprocessing(file.publisher.rgb_mean, 1.0, test_scales.default(side))
  return Contract(network, pixels, imagenet_classes.names() if needs_head else None)


def _list_names(files: list[PublishedFile]) -> str:
  names = ', '.join(file.name for file in files)
  return f'expected {names}' if files else 'no published weights fit'
