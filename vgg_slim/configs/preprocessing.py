"""From a picture to what the network is fed."""

import dataclasses

from vgg_slim.configs.checks import Checks


@dataclasses.dataclass(frozen=True)
class PreprocessingConfig:
  """How a picture becomes what the network is fed: (RGB 0..255 - rgb_mean) * pixel_scale.

  Attributes:
    rgb_mean: mean of the training split, R, G, B, 0..255.
    pixel_scale: factor after the mean is subtracted; 1 in the paper.
    train_scale_min: the smallest side S is drawn from [min, max] pixels (paper, 3.1).
    train_scale_max: equal to `train_scale_min` for single-scale training.
    random_flip: whether half of the training pictures are mirrored left to right.
  """

  rgb_mean: tuple[float, float, float]
  pixel_scale: float = 1.0
  train_scale_min: int = 256
  train_scale_max: int = 256
  random_flip: bool = True

  def __post_init__(self):
    object.__setattr__(self, 'rgb_mean', tuple(self.rgb_mean))
    checks = Checks(self)
    mean_ok = len(self.rgb_mean) == 3 and all(0 <= m <= 255 for m in self.rgb_mean)
    checks.require(mean_ok, 'rgb_mean', 'three numbers in [0, 255]')
    checks.require(self.pixel_scale > 0, 'pixel_scale', 'positive')
    checks.require(self.train_scale_min >= 1, 'train_scale_min', 'at least 1')
    in_order = self.train_scale_min <= self.train_scale_max
    checks.require(in_order, 'train_scale_max', f'at least train_scale_min={self.train_scale_min}')
    checks.raise_all()

  @property
  def test_scale(self) -> int:
    """The paper's Q for this S: S itself, or the middle of the range (4.1)."""
    return (self.train_scale_min + self.train_scale_max) // 2
