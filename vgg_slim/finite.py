"""The check that the outputs of a network are finite. No TensorFlow."""

from collections.abc import Callable

import numpy as np

from vgg_slim.errors import NonFiniteError
from vgg_slim.wording import counted


def check_finite(
  values: np.ndarray,
  checkpoint: str = 'The network',
  name_of: Callable[[int], str] = 'number {}'.format,
) -> None:
  """Raises NonFiniteError unless every value is finite; the message names the first bad image.

  Without this check an image that overflows would count as correct, since comparisons with NaN are
  false.

  Args:
    values: float [N, ...], one row per image.
    checkpoint: name of the checkpoint that computed them, the subject of the message.
    name_of: function from the index of a row to the name of its image; called for the message only.
  """
  finite = np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
  if finite.all():
    return
  bad = np.flatnonzero(~finite)
  more = (
    f' and {len(bad) - 1} of the {counted(len(values), "image")} scored with it'
    if len(bad) > 1
    else ''
  )
  raise NonFiniteError(
    f'{checkpoint} gives values that are not finite for image {name_of(int(bad[0]))}{more}: its '
    'weights have diverged, or they do not fit this input. Use an earlier checkpoint.'
  )
