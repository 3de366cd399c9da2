"""The smaller side Q to which a test image is resized, for a training scale S. No TensorFlow."""

from vgg_slim.constants import IMAGE_SIDE, TRAIN_SCALE

_NETWORK_STRIDE = 32  # five halvings, in VGG and ResNet alike
_PAPER_STEP = 32  # arXiv:1409.1556, 4.2


def cut(side: int, image_size: int) -> int:
  """Returns the largest multiple of 32 not above `side`, but at least `image_size`.

  Pools that floor see nothing of an image beyond its last whole 32 pixels. The next multiple above
  would show the network everything larger than in training. See docs/decisions/0019.

  Args:
    side: smaller side in pixels.
    image_size: side of the training crop in pixels.
  """
  return max(image_size, side // _NETWORK_STRIDE * _NETWORK_STRIDE)


def choose(train_scale_min: int, train_scale_max: int, image_size: int) -> int:
  """Returns the test scale for a training scale: the middle of its range, cut."""
  return cut((train_scale_min + train_scale_max) // 2, image_size)


def default(image_size: int) -> int:
  """Returns the test scale where no training scale is known: 256 for the paper's 224 pixels."""
  return cut(image_size * TRAIN_SCALE // IMAGE_SIDE, image_size)


def multi(train_scale_min: int, train_scale_max: int, image_size: int) -> tuple[int, ...]:
  """Returns the paper's three test scales (arXiv:1409.1556, 4.2), cut, each once.

  {S - 32, S, S + 32} for a fixed S; {S_min, middle, S_max} for S drawn from a range.
  """
  return tuple(
    sorted({cut(side, image_size) for side in paper_scales(train_scale_min, train_scale_max)})
  )


def paper_scales(train_scale_min: int, train_scale_max: int) -> tuple[int, int, int]:
  """Returns the three scales of the paper before they are cut."""
  middle = (train_scale_min + train_scale_max) // 2
  if train_scale_min == train_scale_max:
    return middle - _PAPER_STEP, middle, middle + _PAPER_STEP
  return train_scale_min, middle, train_scale_max
