"""Description, as plain values, of the preprocessing of an image. No TensorFlow."""

import dataclasses
import math
from typing import Protocol

from vgg_slim.errors import ConfigError

Rgb = tuple[float, float, float]
Range = tuple[float, float]  # of pixel values: black and white

ANTIALIASED = 'antialiased_bilinear'
# Interpolates four neighbors whatever the scale. Runs of vgg_slim 0.1 used it and keep it.
BILINEAR = 'bilinear'
RESIZE_FILTERS = (ANTIALIASED, BILINEAR)
FILTER_OF_0_1 = BILINEAR  # for files without the field
BACKGROUND = 'white'
ORIENTATION = 'upright'


class HasPixelRules(Protocol):
  """The part of a description that does not depend on the test scale, see `Preprocessing`."""

  @property
  def rgb_mean(self) -> Rgb: ...
  @property
  def pixel_scale(self) -> float | Rgb: ...
  @property
  def resize_filter(self) -> str: ...
  @property
  def stored_side(self) -> int | None: ...
  @property
  def keep_aspect_ratio(self) -> bool: ...
  @property
  def per_image_standardization(self) -> bool: ...
  @property
  def pixel_range(self) -> Range | None: ...


@dataclasses.dataclass(frozen=True)
class Preprocessing:
  """How an image becomes the input of the network in evaluation.

  An image is decoded, scaled to 8 bits, composed on the background, turned upright and made RGB;
  reduced to `stored_side` and encoded again, if the converter did so; resized so that its smaller
  side is `test_scale`, or squeezed to a square of that side; scored as a whole or cropped; and fed
  as (RGB - rgb_mean) * pixel_scale, or standardized.

  Attributes:
    rgb_mean: mean of R, G and B, 0..255.
    pixel_scale: one factor, or one each for R, G and B.
    test_scale: smaller side Q in pixels, see `test_scales`.
    resize_filter: one of RESIZE_FILTERS.
    stored_side: smaller side in pixels to which the converter reduced larger images before storing
      them; None if it stored them at full size.
    keep_aspect_ratio: whether both sides are resized by the same factor.
    per_image_standardization: whether what the network is fed has mean 0 and standard deviation 1
      in every image, see `graph.standardize`. `rgb_mean` is then 0 and `pixel_scale` 1.
    pixel_range: values that became 0 and 255 in images of more than 8 bits whose files do not say;
      None if all 16 bits were used, or if there were no such images.
    background: color under transparent pixels, always BACKGROUND.
    orientation: always ORIENTATION: images are turned as their EXIF data say.
  """

  rgb_mean: Rgb
  pixel_scale: float | Rgb
  test_scale: int
  resize_filter: str = ANTIALIASED
  stored_side: int | None = None
  keep_aspect_ratio: bool = True
  per_image_standardization: bool = False
  pixel_range: Range | None = None
  background: str = BACKGROUND
  orientation: str = ORIENTATION

  def __post_init__(self):
    object.__setattr__(self, 'rgb_mean', tuple(self.rgb_mean))
    if isinstance(self.pixel_scale, list):
      object.__setattr__(self, 'pixel_scale', tuple(self.pixel_scale))
    if isinstance(self.pixel_range, list):
      object.__setattr__(self, 'pixel_range', tuple(self.pixel_range))
    problems = pixel_problems(self)
    if self.test_scale < 1:
      problems.append(f'test_scale must be at least 1, got {self.test_scale}')
    for name, allowed in (('background', BACKGROUND), ('orientation', ORIENTATION)):
      if getattr(self, name) != allowed:
        problems.append(f'{name} must be {allowed!r}, got {getattr(self, name)!r}')
    if problems:
      raise ConfigError(f'{"; ".join(problems)}.')


def is_range(values: object) -> bool:
  """Returns whether a value is a list or tuple of two finite numbers, the second one larger."""
  return (
    isinstance(values, list | tuple)
    and len(values) == 2
    and all(isinstance(value, int | float) and math.isfinite(value) for value in values)
    and values[0] < values[1]
  )


def pixel_problems(rules: HasPixelRules) -> list[str]:
  """Describes every value of `rules` that is out of range."""
  problems = []
  mean, scale, side = rules.rgb_mean, rules.pixel_scale, rules.stored_side
  if len(mean) != 3 or not all(0 <= channel <= 255 for channel in mean):
    problems.append(f'rgb_mean must be three numbers in [0, 255], got {mean}')
  scales = scale if isinstance(scale, tuple) else (scale,)
  if len(scales) not in (1, 3) or not min(scales) > 0:
    problems.append(f'pixel_scale must be positive, one number or three, got {scale}')
  if rules.resize_filter not in RESIZE_FILTERS:
    problems.append(f'resize_filter must be one of {RESIZE_FILTERS}, got {rules.resize_filter!r}')
  if side is not None and side < 1:
    problems.append(f'stored_side must be at least 1, got {side}')
  if rules.per_image_standardization and (any(mean) or scales != (1,)):
    problems.append(
      f'per_image_standardization needs rgb_mean=0,0,0 and pixel_scale=1, got {mean} and {scale}'
    )
  if rules.pixel_range is not None and not is_range(rules.pixel_range):
    problems.append(f'pixel_range must be two increasing numbers, got {rules.pixel_range}')
  return problems
