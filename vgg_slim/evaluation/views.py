"""Which views of a picture are scored: geometry in pixels, no TensorFlow."""

from collections.abc import Iterable, Sequence

from vgg_slim.errors import ConfigError

Places = tuple[tuple[float, float], ...]


def _grid(steps: int) -> Places:
  shares = [i / (steps - 1) for i in range(steps)]
  return tuple((y, x) for y in shares for x in shares)


WHOLE = 'dense'

# Where the crops of a view are cut, see `graph.crops_at`; None for the whole picture. Mirror
# images double them, to the 10 crops of Krizhevsky et al. (2012) and to the 50 a scale of
# arXiv:1409.1556, 3.2.
VIEWS: dict[str, Places | None] = {
  WHOLE: None,
  'center': ((0.5, 0.5),),
  'ten_crop': ((0, 0), (0, 1), (1, 0), (1, 1), (0.5, 0.5)),
  'multi_crop': _grid(5),
}


def num_crops(view: str) -> int:
  """Pictures that a view makes of one, without mirror images."""
  places = VIEWS[view]
  return 1 if places is None else len(places)


def parts(view: str) -> tuple[str, ...]:
  """The views that are averaged in 'dense+multi_crop', or the one."""
  return tuple(view.split('+'))


def all_parts(views: Iterable[str]) -> tuple[str, ...]:
  """The views that have to be scored for `views`, each once."""
  return tuple(dict.fromkeys(part for view in views for part in parts(view)))


def check_views(views: Sequence[str]) -> None:
  """Raises ConfigError for no view or an unknown one."""
  unknown = sorted(set(all_parts(views)) - set(VIEWS))
  if unknown or not views:
    raise ConfigError(
      f'views={",".join(views)}: expected some of {", ".join(VIEWS)}, or several joined by +'
      + (f', not {", ".join(map(repr, unknown))}.' if unknown else '.')
    )


def check_test_scales(test_scales: Sequence[int], image_size: int) -> None:
  """Raises ConfigError for no scale, or one below the side at which the score map is 1x1."""
  if not test_scales or min(test_scales) < image_size:
    raise ConfigError(
      f'test_scales={list(test_scales)}: one or more sides of at least image_size={image_size} '
      'pixels are needed.'
    )
