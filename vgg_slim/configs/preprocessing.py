"""From an image to what the network is fed."""

import dataclasses

from vgg_slim.configs.checks import Checks
from vgg_slim.configs.fields import REFUSED, setting
from vgg_slim.preprocessing import description
from vgg_slim.preprocessing.description import Rgb


@dataclasses.dataclass(frozen=True)
class PreprocessingConfig:
  """How a picture becomes what the network is fed: (RGB 0..255 - rgb_mean) * pixel_scale.

  All but the first two are of training; a step is off at its default.

  Attributes:
    rgb_mean: mean of the training split, R, G, B, 0..255.
    pixel_scale: factor after the mean is subtracted, one number or one each for R, G, B; 1 in the
      paper, 1 / standard deviation for featurewise normalisation.
    train_scale_min: the smallest side S is drawn from [min, max] pixels (paper, 3.1).
    train_scale_max: equal to `train_scale_min` for single-scale training.
    random_flip: whether half of the training pictures are mirrored left to right.
    rgb_shift: standard deviation of the colour shift along the principal axes of the pixels, in
      eigenvalues of their covariance (paper, 3.1; 0.1 in Krizhevsky et al., 2012, 4.1).
    rgb_covariance: of the pixels of the training split, 3 x 3, R, G, B, 0..255; for `rgb_shift`.
    width_shift: the crop moves by up to this share of its width to either side.
    height_shift: the same, up and down.
    zoom_min: height and width of the crop are multiplied by numbers of [min, max] of their own;
      below 1 things look larger.
    zoom_max: see `zoom_min`.
    brightness_min: pixels are multiplied by a number of [min, max] and clipped to 0..255.
    brightness_max: see `brightness_min`.
    random_erasing: probability that a rectangle of 2 to 33 % of the crop becomes mean colour
      (Zhong et al., arXiv:1708.04896).
    cutout: side of a square of mean colour, as a share of the crop's (DeVries and Taylor,
      arXiv:1708.04552).
    mixup: both parameters of the Beta distribution of the share with which a picture and its label
      are averaged with another's (Zhang et al., arXiv:1710.09412).
    cutmix: the same for the share of a picture that a rectangle of another leaves (Yun et al.,
      arXiv:1905.04899). With `mixup` as well, each picture takes one of the two.
    resize_filter: see `description.Preprocessing`, for training and evaluation alike.
    stored_side: see `description.Preprocessing`; a fact about the data set.
  """

  rgb_mean: Rgb = setting(resume=REFUSED)
  pixel_scale: float | Rgb = setting(1.0, resume=REFUSED)
  train_scale_min: int = setting(256, resume=REFUSED)
  train_scale_max: int = setting(256, resume=REFUSED)
  random_flip: bool = setting(True, resume=REFUSED)
  rgb_shift: float = setting(0.0, resume=REFUSED)
  rgb_covariance: tuple[Rgb, Rgb, Rgb] | None = setting(None, resume=REFUSED)
  width_shift: float = setting(0.0, resume=REFUSED)
  height_shift: float = setting(0.0, resume=REFUSED)
  zoom_min: float = setting(1.0, resume=REFUSED)
  zoom_max: float = setting(1.0, resume=REFUSED)
  brightness_min: float = setting(1.0, resume=REFUSED)
  brightness_max: float = setting(1.0, resume=REFUSED)
  random_erasing: float = setting(0.0, resume=REFUSED)
  cutout: float = setting(0.0, resume=REFUSED)
  mixup: float = setting(0.0, resume=REFUSED)
  cutmix: float = setting(0.0, resume=REFUSED)
  resize_filter: str = setting(description.ANTIALIASED, resume=REFUSED)
  stored_side: int | None = setting(None, resume=REFUSED)

  def __post_init__(self):
    object.__setattr__(self, 'rgb_mean', tuple(self.rgb_mean))
    if isinstance(self.pixel_scale, (list, tuple)):
      object.__setattr__(self, 'pixel_scale', tuple(self.pixel_scale))
    if self.rgb_covariance is not None:
      object.__setattr__(self, 'rgb_covariance', tuple(map(tuple, self.rgb_covariance)))
    checks = Checks(self)
    checks.add(description.pixel_problems(self))
    checks.require(self.train_scale_min >= 1, 'train_scale_min', 'at least 1')
    self._check_range(checks, 'train_scale')
    checks.require(self.rgb_shift >= 0, 'rgb_shift', 'at least 0')
    covariance_ok = self.rgb_covariance is not None or not self.rgb_shift
    checks.require(covariance_ok, 'rgb_covariance', 'given for rgb_shift')
    for name in ('zoom', 'brightness'):
      checks.require(getattr(self, f'{name}_min') > 0, f'{name}_min', 'positive')
      self._check_range(checks, name)
    for name in ('width_shift', 'height_shift', 'random_erasing', 'cutout'):
      checks.require(0 <= getattr(self, name) <= 1, name, 'in [0, 1]')
    for name in ('mixup', 'cutmix'):
      checks.require(getattr(self, name) >= 0, name, 'at least 0')
    checks.raise_all()

  def _check_range(self, checks: Checks, name: str) -> None:
    low = getattr(self, f'{name}_min')
    in_order = low <= getattr(self, f'{name}_max')
    checks.require(in_order, f'{name}_max', f'at least {name}_min={low}')

  @property
  def mixes(self) -> bool:
    """Whether pictures of a batch are mixed, so that each has two labels."""
    return bool(self.mixup or self.cutmix)
