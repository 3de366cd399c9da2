import numpy as np
import pytest

from vgg_slim.plotting import confusion


def test_fractions_of_each_row_and_counts_are_drawn():
  counts = np.array([[3, 1, 0], [0, 0, 0], [2, 0, 6]])
  axes = confusion.draw_confusion(counts, ('a', 'b', 'c')).axes[0]
  fractions = axes.images[0].get_array()
  np.testing.assert_allclose(fractions, [[0.75, 0.25, 0], [0, 0, 0], [0.25, 0, 0.75]])
  texts = {text.get_position(): text.get_text() for text in axes.texts}
  assert texts == {(0, 0): '3', (1, 0): '1', (0, 2): '2', (2, 2): '6'}
  assert [label.get_text() for label in axes.get_yticklabels()] == ['a', 'b', 'c']


@pytest.mark.parametrize('num_classes', [20, 21, 1000])
def test_the_figure_fits_a_page_for_any_number_of_classes(num_classes):
  counts = np.eye(num_classes, dtype=int)
  figure = confusion.draw_confusion(counts, [f'class {i}' for i in range(num_classes)])
  assert figure.get_figwidth() <= 13
  assert bool(figure.axes[0].texts) == (num_classes <= 20)
