"""Predictions on the terminal, each printed as soon as it is known. Loads no TensorFlow."""

import sys
from collections.abc import Sequence

from rich import cells

from vgg_slim import terminal, wording
from vgg_slim.evaluation.predictions import Prediction

_GAP = '  '
_PERCENT_WIDTH = len('100.0%')
# In files and pipes each image is one line; longer names push the rest of it to the right.
_WIDEST_COLUMN = 32


class Printer:
  """Prints one table row per image, or several short lines if the terminal is too narrow."""

  def __init__(self, files: Sequence[str], class_names: Sequence[str], top: int) -> None:
    """Chooses the layout by the longest names, so that nothing is truncated.

    Args:
      files: names of all images that may be printed.
      class_names: names of the network's classes; empty if it has none.
      top: number of classes printed per image.
    """
    self._top = top
    self._file_width = _longest(['image', *files])
    self._name_width = _longest([f'class {top}', *class_names])
    width = self._file_width + top * (2 * len(_GAP) + self._name_width + _PERCENT_WIDTH)
    self._has_rows = True
    if sys.stdout.isatty():
      self._has_rows = width <= terminal.columns()
    else:
      self._file_width = min(self._file_width, _WIDEST_COLUMN)
      self._name_width = min(self._name_width, _WIDEST_COLUMN)
    self._has_heading = False

  def print(self, prediction: Prediction) -> None:
    """Prints one image."""
    if not self._has_rows:
      _show(wording.printable(prediction.file))
      for score in prediction.top:
        _show(
          f'{score.probability:{_PERCENT_WIDTH + 2}.1%}{_GAP}{wording.printable(score.class_name)}'
        )
      return
    if not self._has_heading:
      self._has_heading = True
      self._print_row('image', [(f'class {i + 1}', '%') for i in range(self._top)])
    scores = [
      (wording.printable(score.class_name), f'{score.probability:.1%}') for score in prediction.top
    ]
    self._print_row(wording.printable(prediction.file), scores)

  def _print_row(self, file: str, scores: Sequence[tuple[str, str]]) -> None:
    parts = [_pad(file, self._file_width)]
    for name, percent in scores:
      parts += [_pad(name, self._name_width), percent.rjust(_PERCENT_WIDTH)]
    _show(_GAP.join(parts))


def _show(line: str) -> None:
  # A name that the terminal cannot encode must not end the command.
  encoding = sys.stdout.encoding or 'utf-8'
  print(line.encode(encoding, 'backslashreplace').decode(encoding), flush=True)


def _longest(texts: Sequence[str]) -> int:
  return max(cells.cell_len(wording.printable(text)) for text in texts)


def _pad(text: str, width: int) -> str:
  """Pads to `width` columns; wide characters, such as Chinese ones, take two."""
  return text + ' ' * (width - cells.cell_len(text))
