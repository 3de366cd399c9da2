"""Test scales: the smaller side Q of test images, chosen for a training scale S. No TensorFlow."""

from vgg_slim.constants import IMAGE_SIDE, TRAIN_SCALE

_NETWORK_STRIDE = 32  # both VGG and ResNet halve the resolution five times
_PAPER_STEP = 32  # arXiv:1409.1556, 4.2


def round_down(side: int, image_size: int) -> int:
  """Returns the largest multiple of 32 not above `side`, but at least `image_size`.

  Pooling that rounds down ignores the pixels after the last multiple of 32. Rounding up instead
  would show objects larger than in training. See docs/decisions/0019.

  Args:
    side: smaller side in pixels.
    image_size: side of the training crop in pixels.
  """
  return max(image_size, side // _NETWORK_STRIDE * _NETWORK_STRIDE)


def choose(train_scale_min: int, train_scale_max: int, image_size: int) -> int:
  """Returns the test scale for a training scale: the middle of its range, rounded down."""
  return round_down((train_scale_min + train_scale_max) // 2, image_size)


def default(image_size: int) -> int:
  """Returns the test scale if no training scale is known: 256 for the paper's 224 pixels."""
  return round_down(image_size * TRAIN_SCALE // IMAGE_SIDE, image_size)


def multi(train_scale_min: int, train_scale_max: int, image_size: int) -> tuple[int, ...]:
  """Returns the paper's three test scales (arXiv:1409.1556, 4.2), rounded down, without repetition.

  They are {S - 32, S, S + 32} for a fixed S, and {S_min, middle, S_max} for S drawn from a range.
  """
  scales = paper_scales(train_scale_min, train_scale_max)
  return tuple(sorted({round_down(side, image_size) for side in scales}))


def paper_scales(train_scale_min: int, train_scale_max: int) -> tuple[int, int, int]:
  """Returns the three scales of the paper before they are rounded down."""
  middle = (train_scale_min + train_scale_max) // 2
  if train_scale_min == train_scale_max:
    return middle - _PAPER_STEP, middle, middle + _PAPER_STEP
  return train_scale_min, middle, train_scale_max
