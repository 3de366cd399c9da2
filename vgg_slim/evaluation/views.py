"""Views of an image that an evaluation scores. No TensorFlow."""

from collections.abc import Iterable, Sequence

from vgg_slim.constants import LARGEST_SCALE
from vgg_slim.errors import ConfigError
from vgg_slim.wording import did_you_mean

CropPositions = tuple[tuple[float, float], ...]


def _grid(steps: int) -> CropPositions:
  positions = [i / (steps - 1) for i in range(steps)]
  return tuple((y, x) for y in positions for x in positions)


WHOLE = 'dense'

# Positions of the crops of each view, see `graph.crops_at`; None for the whole image. Horizontal
# flips double them, to the 10 crops of Krizhevsky et al. (2012) and the 50 crops per scale of
# arXiv:1409.1556, 3.2.
VIEWS: dict[str, CropPositions | None] = {
  WHOLE: None,
  'center': ((0.5, 0.5),),
  'ten_crop': ((0, 0), (0, 1), (1, 0), (1, 1), (0.5, 0.5)),
  'multi_crop': _grid(5),
}


def num_crops(view: str) -> int:
  """Number of network inputs per image, without horizontal flips."""
  positions = VIEWS[view]
  return 1 if positions is None else len(positions)


def parts(view: str) -> tuple[str, ...]:
  """Splits a view such as 'dense+multi_crop' into the views that it averages."""
  return tuple(view.split('+'))


def all_parts(views: Iterable[str]) -> tuple[str, ...]:
  """The views that must be scored for `views`, without duplicates."""
  return tuple(dict.fromkeys(part for view in views for part in parts(view)))


def problems(views: Sequence[str]) -> list[str]:
  """Describes what is wrong if there is no view, or an unknown one."""
  unknown = sorted(set(all_parts(views)) - set(VIEWS))
  if views and not unknown:
    return []
  named = ', '.join(f'{view!r}{did_you_mean(view, VIEWS)}' for view in unknown)
  return [
    f'views={",".join(views)}: expected one or more of {", ".join(VIEWS)}, or several joined by +'
    + (f', not {named}' if unknown else '')
  ]


def check_test_scales(test_scales: Sequence[int], image_size: int) -> None:
  """Raises ConfigError if there is no scale, or one that cannot be scored.

  The smallest is the side that gives a 1x1 score map; the largest is that of training.
  """
  if not test_scales or min(test_scales) < image_size or max(test_scales) > LARGEST_SCALE:
    raise ConfigError(
      f'test_scales={list(test_scales)}: expected one or more, each of at least '
      f'image_size={image_size} and at most {LARGEST_SCALE} pixels.'
    )
