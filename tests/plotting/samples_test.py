import numpy as np
import pytest

from vgg_slim.plotting import samples


def test_images_and_labels_are_drawn_row_by_row(tmp_path):
  images = np.random.default_rng(0).integers(0, 256, [5, 4, 6, 3], np.uint8)
  figure = samples.draw_samples(images, ['a', 'b', 'c', 'd', 'e'], 'five')
  grid = figure.axes
  assert len(grid) == 2 * 3
  assert [axes.get_title() for axes in grid] == ['a', 'b', 'c', 'd', 'e', '']
  for axes, image in zip(grid, images, strict=False):
    np.testing.assert_array_equal(axes.images[0].get_array(), image)
  cells = [axes.get_subplotspec() for axes in grid]
  assert [(cell.rowspan.start, cell.colspan.start) for cell in cells[:4]] == [
    (0, 0),
    (0, 1),
    (0, 2),
    (1, 0),
  ]
  figure.savefig(tmp_path / 'five.png')
  assert (tmp_path / 'five.png').read_bytes().startswith(b'\x89PNG')


def test_longer_labels_do_not_make_images_smaller():
  images = np.zeros([4, 8, 8, 3], np.uint8)
  heights = [
    samples.draw_samples(images, [label] * 4).get_figheight() for label in ('a', 'a\nb', 'a\nb\nc')
  ]
  assert heights == pytest.approx([4.1, 4.1, 4.4])  # two rows of 0.15 inches more


@pytest.mark.parametrize(
  'label', ['dog_with_a_long_file_name_2024_07_12.jpg', 'schöne Katze mit alpha.png', '猫' * 20]
)
def test_long_labels_do_not_touch_each_other_or_the_edge(label):
  figure = samples.draw_samples(np.zeros([4, 8, 8, 3], np.uint8), [label] * 4)
  figure.canvas.draw()
  boxes = [axes.title.get_window_extent() for axes in figure.axes]
  assert min(box.x0 for box in boxes) >= 0
  assert max(box.x1 for box in boxes) <= figure.bbox.x1
  for left, right in (boxes[:2], boxes[2:]):
    assert left.x1 < right.x0
