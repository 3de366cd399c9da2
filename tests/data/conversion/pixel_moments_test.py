import numpy as np
import pytest
from PIL import Image

from tests.data import fabricated
from vgg_slim.data.conversion import pixel_moments


def moments_of(*pictures):
  counter = pixel_moments.MomentCounter()
  for picture in pictures:
    counter.add(picture)
  assert not counter.moments[1:].any()
  return counter.moments[0]


def statistics_of(*pictures):
  counter = pixel_moments.MomentCounter()
  for picture in pictures:
    counter.add(picture)
  return pixel_moments.compute_statistics(counter.moments)


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
  statistics = statistics_of(*pictures)
  values = np.concatenate([pixels.reshape(-1, 3) for pixels in pictures]).astype(np.float64)
  # NumPy rounds at every step: a few ulp.
  np.testing.assert_allclose(statistics.mean, values.mean(axis=0), rtol=1e-12)
  np.testing.assert_allclose(statistics.std, values.std(axis=0), rtol=1e-12)
  np.testing.assert_allclose(statistics.covariance, np.cov(values.T, bias=True), rtol=1e-11)


def test_one_colour_has_no_deviation_at_all():
  statistics = statistics_of(Image.new('RGB', (7, 5), (3, 200, 77)))
  assert statistics.mean == (3.0, 200.0, 77.0)
  assert statistics.std == (0.0, 0.0, 0.0)
  assert statistics.covariance == ((0.0,) * 3,) * 3


def textured(seed):
  """Noise about a colour of its own, no value cut off, and its means of 8x8 pixels."""
  rng = np.random.default_rng(seed)
  pixels = rng.integers(40, 160, 3) + rng.integers(-40, 41, (128, 128, 3))
  image = Image.fromarray(pixels.astype(np.uint8))
  return image, image.reduce(8)


def test_a_sample_says_what_the_means_of_the_others_lack():
  pictures = [textured(seed) for seed in range(60)]
  counter = pixel_moments.MomentCounter()
  for i, (image, means) in enumerate(pictures):
    if i % 6:
      counter.add_means(means)
    else:
      counter.add_sample(image, means)
  statistics = pixel_moments.compute_statistics(counter.moments)
  exact = statistics_of(*(image for image, _ in pictures))
  # Means of 8x8 are rounded to whole numbers: 0.5 at most, alike in every picture.
  np.testing.assert_allclose(statistics.mean, exact.mean, atol=0.02)
  # The noise varies by sqrt(2 / 128 ** 2) = 1 % from picture to picture, ten of them by 0.4 %.
  np.testing.assert_allclose(statistics.std, exact.std, rtol=0.004)
  of_means = statistics_of(*(means for _, means in pictures))
  assert np.all(np.array(of_means.std) < 0.9 * np.array(exact.std))
  assert pixel_moments.fraction_from_means(counter.moments) == 50 / 60


def test_a_sample_of_all_pictures_is_exact():
  pictures = [textured(seed) for seed in range(3)]
  counter = pixel_moments.MomentCounter()
  for image, means in pictures:
    counter.add_sample(image, means)
  exact = statistics_of(*(image for image, _ in pictures))
  assert pixel_moments.compute_statistics(counter.moments) == exact
