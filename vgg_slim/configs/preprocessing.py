"""Settings of preprocessing and augmentation."""

import dataclasses

from vgg_slim.configs.checks import Checks
from vgg_slim.configs.fields import REFUSED, setting
from vgg_slim.preprocessing import description
from vgg_slim.preprocessing.description import Rgb


@dataclasses.dataclass(frozen=True)
class PreprocessingConfig:
  """How an image becomes the network's input: (RGB 0..255 - rgb_mean) * pixel_scale.

  The augmentations apply to training alone and are off by default, except for `random_flip`.

  Attributes:
    rgb_mean: Mean of the training split, R, G, B, 0..255.
    pixel_scale: Factor applied after the mean is subtracted, one number or one each for R, G, B; 1
      in the paper, 1 / standard deviation for featurewise normalization.
    train_scale_min: Lower end of the range [min, max], in pixels, from which the smaller side S of
      a training image is drawn (paper, 3.1).
    train_scale_max: Upper end of that range; equal to `train_scale_min` for single-scale training.
    random_flip: Whether training images are flipped left to right with probability 1/2.
    rgb_shift: Standard deviation of the color shift along the principal axes of the pixels, in
      eigenvalues of their covariance (paper, 3.1; 0.1 in Krizhevsky et al., 2012, 4.1).
    rgb_covariance: Covariance of the pixels of the training split, 3 x 3, R, G, B, 0..255, used by
      `rgb_shift`.
    width_shift: Largest horizontal shift of the crop, as a share of its width.
    height_shift: Largest vertical shift of the crop, as a share of its height.
    zoom_min: Lower end of the range [min, max] from which two factors are drawn, one each for the
      height and the width of the crop; below 1, objects appear larger.
    zoom_max: Upper end of that range.
    brightness_min: Lower end of the range [min, max] from which a factor of all pixels is drawn;
      the product is clipped to 0..255.
    brightness_max: Upper end of that range.
    random_erasing: Probability that a rectangle of 2 to 33 % of the crop is filled with the mean
      color (Zhong et al., arXiv:1708.04896).
    cutout: Side of a square that is filled with the mean color, as a share of the crop's side
      (DeVries and Taylor, arXiv:1708.04552).
    mixup: Both parameters of the Beta distribution from which the weight is drawn for averaging an
      image and its label with another image (Zhang et al., arXiv:1710.09412).
    cutmix: Both parameters of the Beta distribution of the share of an image that remains when a
      rectangle is pasted from another image (Yun et al., arXiv:1905.04899). With `mixup` as well,
      one of the two is applied to each image.
    resize_filter: Resize filter of training and evaluation, see `description.Preprocessing`.
    stored_side: Side of the stored images, see `description.Preprocessing`; a property of the data
      set.
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
    """Whether the images of a batch are mixed in pairs, so that each has two labels."""
    return bool(self.mixup or self.cutmix)
