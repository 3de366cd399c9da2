"""Settings of preprocessing and augmentation."""

import dataclasses
import functools

from vgg_slim.configs.allowed import at_least, between, positive
from vgg_slim.configs.base import Config
from vgg_slim.configs.checks import Checks
from vgg_slim.configs.fields import REFUSED, setting
from vgg_slim.constants import LARGEST_SCALE
from vgg_slim.preprocessing import description
from vgg_slim.preprocessing.description import Rgb

_setting = functools.partial(setting, resume=REFUSED, heading='Images')
_augmentation = functools.partial(_setting, heading='Augmentation')


@dataclasses.dataclass(frozen=True)
class PreprocessingConfig(Config):
  """How an image becomes the network's input, see `description.Preprocessing`.

  The augmentations apply to training alone and are off by default, except for `random_flip`.
  """

  rgb_mean: Rgb = _setting(
    help='Mean of the pixels of the training split, R, G, B, 0..255.', has_flag=False
  )
  pixel_scale: float | Rgb = _setting(
    1.0,
    help='Factor that pixels of 0..255 are multiplied by after the mean is subtracted; '
    '--featurewise_std sets one for each channel.',
  )
  train_scale_min: int = _setting(
    256,
    help='Smallest random S, in pixels: the smaller side that training images are resized to '
    'before they are cropped.',
    allowed=at_least(1),
  )
  train_scale_max: int = _setting(
    256, help='Largest random S, in pixels.', allowed=between(f'[1, {LARGEST_SCALE}]')
  )
  keep_aspect_ratio: bool = _setting(
    True,
    help='Resize both sides of an image by the same factor. Otherwise images are squeezed to a '
    'square of the training scale, as the target_size of Keras does.',
  )
  per_image_standardization: bool = _setting(
    False,
    help='Give each image mean 0 and standard deviation 1, in training and evaluation, instead of '
    'subtracting the mean of the training pixels.',
  )
  random_flip: bool = _setting(True, help='Flip images horizontally with probability 1/2.')
  # Krizhevsky et al., 2012, section 4.1.
  rgb_shift: float = _augmentation(
    0.0,
    help='Standard deviation of a random color shift along the principal components of the '
    'training pixels, in multiples of their eigenvalues; the paper uses 0.1.',
    allowed=at_least(0),
  )
  rgb_covariance: tuple[Rgb, Rgb, Rgb] | None = _setting(
    None,
    help='Covariance of the pixels of the training split, 3 x 3, R, G, B, 0..255, for rgb_shift.',
    has_flag=False,
  )
  width_shift: float = _augmentation(
    0.0,
    help='Largest random horizontal shift of the crop, as a fraction of its width.',
    allowed=between('[0, 1]'),
  )
  height_shift: float = _augmentation(
    0.0,
    help='Largest random vertical shift of the crop, as a fraction of its height.',
    allowed=between('[0, 1]'),
  )
  zoom_min: float = _augmentation(
    1.0,
    help='Smallest factor by which height and width of the crop are randomly scaled.',
    allowed=positive(),
  )
  zoom_max: float = _augmentation(
    1.0, help='Largest factor by which height and width of the crop are randomly scaled.'
  )
  brightness_min: float = _augmentation(
    1.0,
    help='Smallest factor by which the pixels of an image are randomly multiplied.',
    allowed=positive(),
  )
  brightness_max: float = _augmentation(
    1.0, help='Largest factor by which the pixels of an image are randomly multiplied.'
  )
  brightness_delta: float = _augmentation(
    0.0,
    help='Largest value, in units of 0..255, that is randomly added to all pixels of an image or '
    "subtracted from them; TensorFlow's CIFAR-10 tutorial uses 63.",
    allowed=between('[0, 255]'),
  )
  contrast_min: float = _augmentation(
    1.0,
    help='Smallest factor by which the differences of the pixels from the mean of their channel '
    "are randomly multiplied; TensorFlow's CIFAR-10 tutorial uses 0.2.",
    allowed=positive(),
  )
  contrast_max: float = _augmentation(
    1.0,
    help='Largest factor by which these differences are randomly multiplied; the tutorial uses '
    '1.8.',
  )
  # Zhong et al., arXiv:1708.04896.
  random_erasing: float = _augmentation(
    0.0,
    help='Probability that a random rectangle is filled with the mean color.',
    allowed=between('[0, 1]'),
  )
  # DeVries and Taylor, arXiv:1708.04552.
  cutout: float = _augmentation(
    0.0,
    help='Side of a random square filled with the mean color, as a fraction of the side of the '
    'crop.',
    allowed=between('[0, 1]'),
  )
  # Zhang et al., arXiv:1710.09412.
  mixup: float = _augmentation(
    0.0,
    help='Average pairs of images and their labels; the value is the parameter of the Beta '
    'distribution of the weights, such as 0.2.',
    allowed=at_least(0),
  )
  # Yun et al., arXiv:1905.04899. With mixup as well, one of the two is applied to each image.
  cutmix: float = _augmentation(
    0.0,
    help='Paste a rectangle of another image; the value is the parameter of the Beta distribution '
    'of its area, such as 1.',
    allowed=at_least(0),
  )
  resize_filter: str = _setting(
    description.ANTIALIASED,
    help='Filter that resizes images in training and evaluation.',
    has_flag=False,
  )
  stored_side: int | None = _setting(
    None,
    help='Smaller side in pixels to which the converter reduced larger images; null if it did not.',
    has_flag=False,
  )
  pixel_range: description.Range | None = _setting(
    None,
    help='Values that the converter made 0 and 255 in images of more than 8 bits; null if it used '
    'all 16 bits, or had no such images.',
    has_flag=False,
  )

  def _check_together(self, checks: Checks) -> None:
    checks.add(description.pixel_problems(self))
    covariance_ok = self.rgb_covariance is not None or not self.rgb_shift
    checks.require(covariance_ok, 'rgb_covariance', 'given for rgb_shift')
    for name in ('train_scale', 'zoom', 'brightness', 'contrast'):
      low = getattr(self, f'{name}_min')
      in_order = low <= getattr(self, f'{name}_max')
      checks.require(in_order, f'{name}_max', f'at least {name}_min={low}')

  @property
  def train_scale(self) -> str:
    """S as the paper writes it: '256', or '[256;512]' for scale jitter."""
    smallest, largest = self.train_scale_min, self.train_scale_max
    return f'{smallest}' if smallest == largest else f'[{smallest};{largest}]'

  @property
  def mixes(self) -> bool:
    """Whether the images of a batch are mixed in pairs, so that each has two labels."""
    return bool(self.mixup or self.cutmix)
