"""The largest image that is scored whole. No TensorFlow."""

from vgg_slim.errors import DataError

# The first layer of VGG16 makes 64 maps of every pixel: 1.1 GB of float32 for this many.
MOST_PIXELS = 2**22
MOST_SQUARES = 4  # of side Q, where these have more pixels

WAY_OUT = 'score its central square with --views=center, reduce --test_scale, or leave it out'


def most_pixels(test_scale: int) -> int:
  """Pixels that a whole image may have when its smaller side is `test_scale`."""
  return max(MOST_PIXELS, MOST_SQUARES * test_scale**2)


def check_area(height: int, width: int, test_scale: int) -> None:
  """Checks that an image is not too large once its smaller side is `test_scale` pixels.

  Its memory grows with its area: an image of 2 x 300 pixels becomes one of 256 x 38400.

  Raises:
    DataError: it is too large; says at which size.
  """
  longer = round(max(height, width) * test_scale / min(height, width))
  if test_scale * longer > most_pixels(test_scale):
    new_width, new_height = (longer, test_scale) if width > height else (test_scale, longer)
    raise DataError(
      f'{width} x {height} pixels become {new_width} x {new_height}, more than the '
      f'{most_pixels(test_scale)} pixels that are scored as a whole: {WAY_OUT}'
    )
