"""Limits on the size of an image that is scored as a whole or in crops. No TensorFlow."""

from vgg_slim.errors import DataError

# The first layer of VGG16 has 64 channels per pixel: 1.1 GB of float32 for this many pixels.
MAX_PIXELS = 2**22
MAX_SQUARES = 4  # squares of side Q that are allowed even where they have more than MAX_PIXELS
# Crops are cut from the resized image, which no layer is applied to as a whole: 400 MB of float32.
CROPPED_FACTOR = 8

# Ends of the messages, after 'more than the N '.
WHOLE = (
  'pixels that can be scored as a whole: score the central square with --views=center, reduce Q, '
  'or remove the image'
)
CROPPED = 'pixels that can be cut into crops: reduce Q, or remove the image'


def max_pixels(test_scale: int, is_cropped: bool = False) -> int:
  """Returns the number of pixels that an image may have whose smaller side is `test_scale`."""
  whole = max(MAX_PIXELS, MAX_SQUARES * test_scale**2)
  return whole * CROPPED_FACTOR if is_cropped else whole


def check_area(height: int, width: int, test_scale: int, is_cropped: bool = False) -> None:
  """Checks that an image is not too large once it is resized to a smaller side of `test_scale`.

  Elongated images become large: 2 x 300 pixels become 256 x 38400.

  Args:
    height: height of the image in pixels.
    width: width of the image in pixels.
    test_scale: smaller side Q in pixels.
    is_cropped: whether crops are scored instead of the whole image.

  Raises:
    DataError: the image is too large; says both sizes and the limit.
  """
  longer = round(max(height, width) * test_scale / min(height, width))
  limit = max_pixels(test_scale, is_cropped)
  if test_scale * longer > limit:
    new_width, new_height = (longer, test_scale) if width > height else (test_scale, longer)
    raise DataError(
      f'{width} x {height} pixels become {new_width} x {new_height}, more than the {limit} '
      f'{CROPPED if is_cropped else WHOLE}'
    )
