"""Errors on ImageNet in Tables 3 to 5 of the VGG paper (arXiv:1409.1556). No TensorFlow."""

from typing import NamedTuple


class Setting(NamedTuple):
  """A network of `specs.VGG` and the range of the paper's S, equal bounds for a fixed S."""

  model: str
  smallest: int
  largest: int


def _s(model: str, smallest: int, largest: int | None = None) -> Setting:
  return Setting(model, smallest, largest or smallest)


# arXiv:1409.1556: top-1 validation error on ILSVRC-2012 in percent, by setting.
TABLE_3: dict[Setting, float] = {
  _s('vgg_a', 256): 29.6,
  _s('vgg_a_lrn', 256): 29.7,
  _s('vgg_b', 256): 28.7,
  _s('vgg_c', 256): 28.1,
  _s('vgg_c', 384): 28.1,
  _s('vgg_c', 256, 512): 27.3,
  _s('vgg_d', 256): 27.0,
  _s('vgg_d', 384): 26.8,
  _s('vgg_d', 256, 512): 25.6,
  _s('vgg_e', 256): 27.3,
  _s('vgg_e', 384): 26.9,
  _s('vgg_e', 256, 512): 25.5,
}
TABLE_4: dict[Setting, float] = {
  _s('vgg_b', 256): 28.2,
  _s('vgg_c', 256): 27.7,
  _s('vgg_c', 384): 27.8,
  _s('vgg_c', 256, 512): 26.3,
  _s('vgg_d', 256): 26.6,
  _s('vgg_d', 384): 26.5,
  _s('vgg_d', 256, 512): 24.8,
  _s('vgg_e', 256): 26.9,
  _s('vgg_e', 384): 26.7,
  _s('vgg_e', 256, 512): 24.8,
}
TABLE_5: dict[Setting, dict[str, float]] = {
  _s('vgg_d', 256, 512): {'dense': 24.8, 'multi_crop': 24.6, 'dense+multi_crop': 24.4},
  _s('vgg_e', 256, 512): {'dense': 24.8, 'multi_crop': 24.6, 'dense+multi_crop': 24.4},
}
