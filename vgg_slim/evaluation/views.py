"""Which views of a picture are scored: geometry in pixels, no TensorFlow."""

from collections.abc import Sequence

from vgg_slim.errors import ConfigError


def multi_scale(train_scale_min: int, train_scale_max: int) -> tuple[int, int, int]:
  """The paper's three test scales Q for a training scale S (arXiv:1409.1556, 4.2).

  {S - 32, S, S + 32} for a fixed S = 256, here S - S/8, S, S + S/8 so that it fits other sides too;
  {S_min, middle, S_max} for S drawn from a range.
  """
  if train_scale_min == train_scale_max:
    step = train_scale_min // 8
    return train_scale_min - step, train_scale_min, train_scale_min + step
  return train_scale_min, (train_scale_min + train_scale_max) // 2, train_scale_max


def check_test_scales(test_scales: Sequence[int], image_size: int) -> None:
  """Raises ConfigError for no scale, or one below the side at which the score map is 1x1."""
  if not test_scales or min(test_scales) < image_size:
    raise ConfigError(
      f'test_scales={list(test_scales)}: one or more sides of at least image_size={image_size} '
      'pixels are needed.'
    )
