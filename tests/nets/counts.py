"""The exact size of every network.

Trainable parameters at 1000 classes and the row's own image side, biases included (Table 2 of the
VGG paper rounds them), and batch norm's moving means and variances, which are stored but not
trained. keras.applications and torchvision give the same numbers for the networks that they have.
"""

import math

COUNTS = {
  'vgg_a': (132_863_336, 0),
  'vgg_a_lrn': (132_863_336, 0),
  'vgg_b': (133_047_848, 0),
  'vgg_c': (133_638_952, 0),
  'vgg_d': (138_357_544, 0),
  'vgg_e': (143_667_240, 0),
  'vgg_a_bn': (132_866_088, 5_504),
  'vgg_b_bn': (133_050_792, 5_888),
  'vgg_c_bn': (133_643_176, 8_448),
  'vgg_d_bn': (138_361_768, 8_448),
  'vgg_e_bn': (143_672_744, 11_008),
  'vgg_cifar': (15_757_736, 9_472),
  'resnet18': (11_689_512, 9_600),
  'resnet34': (21_797_672, 17_024),
  'resnet50': (25_583_592, 53_120),
  'resnet50_keras': (25_583_592, 53_120),
  'resnet50_torchvision': (25_557_032, 53_120),
  'resnet_v1_50': (25_557_032, 53_120),
  'resnet_v1_101': (44_549_160, 105_344),
  'resnet_v1_152': (60_192_808, 151_424),
}


def num_elements(shapes):
  """Total number of elements of variables of these shapes, by name."""
  return sum(math.prod(shape) for shape in shapes.values())
