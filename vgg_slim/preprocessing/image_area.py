"""Limits on the size of an image that is scored as a whole or in crops. No TensorFlow."""

import math

from vgg_slim.errors import DataError

# The first layer of VGG16 has 64 channels per pixel: 1.1 GB of float32 for this many pixels.
MAX_PIXELS = 2**22
MAX_SQUARES = 4  # squares of side Q that are allowed even where they have more than MAX_PIXELS
# Crops are cut from the resized image, which no layer is applied to as a whole: 400 MB of float32.
CROPPED_FACTOR = 8

# Ends of the messages, after 'more than the N '; the last one only where such a Q is allowed.
WHOLE = (
  'pixels that can be scored as a whole: score the central square with --views=center, or leave '
  'the image out'
)
CROPPED = 'pixels that can be cut into crops: leave the image out'
SMALLER_SCALE = '; with Q up to {} it could be scored as it is'


def max_pixels(test_scale: int, is_cropped: bool = False) -> int:
  """Returns the number of pixels that an image may have whose smaller side is `test_scale`."""
  whole = max(MAX_PIXELS, MAX_SQUARES * test_scale**2)
  return whole * CROPPED_FACTOR if is_cropped else whole


def largest_scale(height: int, width: int) -> int:
  """Returns the largest Q at which an image with a ratio of sides above 4 is scored as a whole."""
  return math.isqrt(MAX_PIXELS * min(height, width) // max(height, width))


def is_too_large(height: int, width: int, test_scale: int, is_cropped: bool = False) -> bool:
  """Whether an image has too many pixels once it is resized; arguments as in `check_area`."""
  longer = _longer_side(height, width, test_scale)
  return test_scale * longer > max_pixels(test_scale, is_cropped)


def check_area(
  height: int, width: int, test_scale: int, is_cropped: bool = False, smallest_scale: int = 1
) -> None:
  """Checks that an image is not too large once it is resized to a smaller side of `test_scale`.

  Elongated images become large: 2 x 300 pixels become 256 x 38400.

  Args:
    height: height of the image in pixels.
    width: width of the image in pixels.
    test_scale: smaller side Q in pixels.
    is_cropped: whether crops are scored instead of the whole image.
    smallest_scale: smallest Q that the network takes, in pixels; no smaller one is proposed.

  Raises:
    DataError: the image is too large; says both sizes and the limit.
  """
  if is_too_large(height, width, test_scale, is_cropped):
    longer, limit = _longer_side(height, width, test_scale), max_pixels(test_scale, is_cropped)
    new_width, new_height = (longer, test_scale) if width > height else (test_scale, longer)
    advice = CROPPED if is_cropped else WHOLE
    scale = largest_scale(height, width)
    if not is_cropped and scale >= smallest_scale:
      advice += SMALLER_SCALE.format(scale)
    raise DataError(
      f'{width} x {height} pixels become {new_width} x {new_height}, more than the {limit} {advice}'
    )


def describe_too_long(name: str, height: int, width: int, test_scale: int) -> str | None:
  """Describes an image that cannot be scored as a whole, in words for somebody who can remove it.

  Args:
    name: name of the image.
    height: height of the image in pixels.
    width: width of the image in pixels.
    test_scale: smaller side Q in pixels.

  Returns:
    A clause without a full stop; None if the image can be scored as a whole.
  """
  if is_too_large(height, width, test_scale):
    longer, shorter = ('wide', 'high') if width > height else ('high', 'wide')
    ratio = max(height, width) / min(height, width)
    return (
      f'{name} has {width} x {height} pixels, {ratio:.0f} times as {longer} as {shorter}; '
      f'dense evaluation at Q = {test_scale} will stop at it'
    )
  return None


def _longer_side(height: int, width: int, test_scale: int) -> int:
  return round(max(height, width) * test_scale / min(height, width))
