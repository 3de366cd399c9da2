import numpy as np
import pytest

from vgg_slim.plotting import predictions

PIXELS = np.full([8, 12, 3], 200, np.uint8)


def test_bars_show_percentages_from_top_to_bottom():
  figure = predictions.draw_bar_chart(PIXELS, ['cat', 'dog'], [0.9, 0.1], 'x.jpg: cat')
  image, bars = figure.axes
  assert image.images[0].get_array().shape == (8, 12, 3)
  assert [bar.get_width() for bar in bars.patches] == pytest.approx([90, 10])
  assert [text.get_text() for text in bars.texts] == ['90.0 %', '10.0 %']
  assert [text.get_text() for text in bars.get_yticklabels()] == ['cat', 'dog']
  assert bars.yaxis_inverted()


def test_the_figure_can_be_written(tmp_path):
  predictions.draw_bar_chart(PIXELS, ['a'], [1.0], 'b').savefig(tmp_path / 'x.png')
  assert (tmp_path / 'x.png').read_bytes().startswith(b'\x89PNG')
