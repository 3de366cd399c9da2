import numpy as np
import pytest

from vgg_slim.plotting import heat_maps


def test_upsampling_matches_hand_arithmetic():
  values = np.array([[0.0, 1.0], [2.0, 5.0]])
  got = heat_maps.upsample(values, first=1, step=2, height=4, width=5)
  # Centers at pixels 1 and 3 of both axes; pixel 2 is halfway; outer pixels take the nearest.
  expected = [[0, 0, 0.5, 1, 1], [0, 0, 0.5, 1, 1], [1, 1, 2, 3, 3], [2, 2, 3.5, 5, 5]]
  np.testing.assert_allclose(got, expected)


@pytest.mark.parametrize('limits', [None, (0, 1)])
def test_every_map_is_drawn_over_the_image_with_its_color_bar(tmp_path, limits):
  pixels = np.zeros([20, 30, 3], np.uint8)
  one = heat_maps.HeatMap('a', np.array([[0.2, 0.4]]), 10, 10, 'probability', limits)
  figure = heat_maps.draw_heat_maps(pixels, [one, one._replace(title='b')], 'cat')
  image, a, b = figure.axes
  assert [panel.get_title() for panel in (image, a, b)] == ['image', 'a', 'b']
  gray, overlay = a.images
  assert gray.get_array().shape == overlay.get_array().shape == (20, 30)
  assert overlay.get_clim() == ((0, 0.4) if limits is None else limits)
  assert [panel.child_axes[0].get_ylabel() for panel in (a, b)] == ['probability', 'probability']
  figure.savefig(tmp_path / 'x.png')
  assert (tmp_path / 'x.png').stat().st_size > 1000


def test_a_map_of_zeros_can_be_drawn():
  zeros = heat_maps.HeatMap('a', np.zeros([2, 2]), 0, 1, 'x')
  figure = heat_maps.draw_heat_maps(np.zeros([4, 4, 3], np.uint8), [zeros], 'cat')
  low, high = figure.axes[1].images[1].get_clim()
  assert low < high
