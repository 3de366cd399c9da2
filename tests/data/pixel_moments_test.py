import numpy as np
import pytest
from PIL import Image

from tests.data import fabricated
from vgg_slim.data import pixel_moments


def moments_of(*pictures):
  counter = pixel_moments.MomentCounter()
  for picture in pictures:
    counter.add(picture)
  return counter.moments


@pytest.mark.parametrize('form', [Image.fromarray, np.asarray])
def test_moments_by_loops_over_the_pixels(form):
  pixels = fabricated.pixels(0)
  moments = moments_of(form(pixels))
  assert moments.dtype == np.int64
  assert moments.tolist() == fabricated.moments_by_loops(pixels)


@pytest.mark.parametrize('form', [Image.fromarray, np.asarray])
def test_grey_counts_as_three_equal_channels(form):
  grey = fabricated.pixels(1, channels=1)
  moments = moments_of(form(grey))
  assert moments.tolist() == fabricated.moments_by_loops(np.stack([grey] * 3, axis=-1))


@pytest.mark.parametrize('value', [1, 255])
def test_a_picture_of_several_strips_does_not_overflow(value):
  # 300 * 500 pixels are 2.3 strips; 150,000 * 255 ** 2 is more than 2 ** 32.
  image = Image.new('RGB', (500, 300), (value, 0, value))
  n, s, q = (150_000 * value**power for power in (0, 1, 2))
  expected = [[n, s, 0, s], [s, q, 0, q], [0, 0, 0, 0], [s, q, 0, q]]
  # A picture of one pixel behind it: what is kept of the larger one does not count again.
  assert moments_of(image, Image.new('RGB', (1, 1))).tolist() == [[n + 1, s, 0, s], *expected[1:]]


def test_statistics_are_numpys():
  pictures = [fabricated.pixels(seed, height=4 + seed) for seed in range(3)]
  total = moments_of(*pictures)
  statistics = pixel_moments.statistics_of(total)
  values = np.concatenate([pixels.reshape(-1, 3) for pixels in pictures]).astype(np.float64)
  # NumPy rounds at every step: a few ulp.
  np.testing.assert_allclose(statistics.mean, values.mean(axis=0), rtol=1e-12)
  np.testing.assert_allclose(statistics.std, values.std(axis=0), rtol=1e-12)
  np.testing.assert_allclose(statistics.covariance, np.cov(values.T, bias=True), rtol=1e-11)


def test_one_colour_has_no_deviation_at_all():
  moments = moments_of(Image.new('RGB', (7, 5), (3, 200, 77)))
  statistics = pixel_moments.statistics_of(moments)
  assert statistics.mean == (3.0, 200.0, 77.0)
  assert statistics.std == (0.0, 0.0, 0.0)
  assert statistics.covariance == ((0.0,) * 3,) * 3
