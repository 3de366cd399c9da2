"""Figure of an image and its predictions."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from vgg_slim.plotting import palette, text


def draw_bar_chart(
  pixels: np.ndarray, class_names: Sequence[str], probabilities: Sequence[float], title: str
) -> Figure:
  """Draws an image and, beside it, one labeled bar per class.

  Args:
    pixels: image, uint8 [H, W, 3], RGB.
    class_names: class names, from top to bottom.
    probabilities: probability of each class, 0..1.
    title: title of the figure.

  Returns:
    A new figure that is not shown.
  """
  rows = len(class_names)
  figure = Figure(figsize=(9, max(3.5, 0.4 * rows + 1.2)), dpi=100, layout='constrained')
  image, bars = figure.subplots(1, 2, width_ratios=(2, 3))
  figure.suptitle(text.title(title), color=palette.TEXT, fontfamily=text.families(title))
  image.imshow(pixels)
  image.axis('off')
  percentages = 100 * np.asarray(probabilities)
  drawn = bars.barh(range(rows), percentages, color=palette.BLUE, height=0.7)
  bars.bar_label(drawn, [f'{p:.1f} %' for p in percentages], padding=3, color=palette.TEXT)
  names = list(map(text.plain, class_names))
  bars.set_yticks(range(rows), names, color=palette.TEXT, fontfamily=text.families(*class_names))
  bars.invert_yaxis()
  bars.set_xlim(0, 115)  # room for the label of a full bar
  bars.set_xticks(range(0, 101, 25))
  bars.set_xlabel('probability, %', color=palette.TEXT)
  bars.spines[['top', 'right']].set_visible(False)
  return figure
