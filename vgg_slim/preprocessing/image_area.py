"""The largest image that is scored, whole or in crops. No TensorFlow."""

from vgg_slim.errors import DataError

# The first layer of VGG16 makes 64 maps of every pixel: 1.1 GB of float32 for this many.
MOST_PIXELS = 2**22
MOST_SQUARES = 4  # of side Q, where these have more pixels
# Crops are cut from the resized image, of which there are no maps: 400 MB of float32.
CROPPED_FACTOR = 8

WHOLE = (
  'pixels that are scored as a whole: score its central square with --views=center, reduce Q, or '
  'leave it out'
)
CROPPED = 'pixels that are cut into crops: reduce Q, or leave it out'


def most_pixels(test_scale: int, is_cropped: bool = False) -> int:
  """Pixels that an image may have when its smaller side is `test_scale`."""
  whole = max(MOST_PIXELS, MOST_SQUARES * test_scale**2)
  return whole * CROPPED_FACTOR if is_cropped else whole


def check_area(height: int, width: int, test_scale: int, is_cropped: bool = False) -> None:
  """Checks that an image is not too large once its smaller side is `test_scale` pixels.

  Its memory grows with its area: an image of 2 x 300 pixels becomes one of 256 x 38400.

  Args:
    height: Height of the image in pixels.
    width: Width of the image in pixels.
    test_scale: Smaller side Q in pixels.
    is_cropped: Whether crops are scored, and not the whole image.

  Raises:
    DataError: it is too large; says at which size.
  """
  longer = round(max(height, width) * test_scale / min(height, width))
  most = most_pixels(test_scale, is_cropped)
  if test_scale * longer > most:
    new_width, new_height = (longer, test_scale) if width > height else (test_scale, longer)
    raise DataError(
      f'{width} x {height} pixels become {new_width} x {new_height}, more than the {most} '
      f'{CROPPED if is_cropped else WHOLE}'
    )
