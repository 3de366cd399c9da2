import numpy as np
import pytest
from PIL import Image

from tests.data import fabricated
from vgg_slim.data.conversion import pixel_moments


def moments_of(*images):
  counter = pixel_moments.MomentCounter()
  for image in images:
    counter.add(image)
  assert not counter.moments[1:].any()
  return counter.moments[0]


def statistics_of(*images):
  counter = pixel_moments.MomentCounter()
  for image in images:
    counter.add(image)
  return pixel_moments.compute_statistics(counter.moments)


@pytest.mark.parametrize('form', [Image.fromarray, np.asarray])
def test_moments_agree_with_loops_over_the_pixels(form):
  pixels = fabricated.pixels(0)
  moments = moments_of(form(pixels))
  assert moments.dtype == np.int64
  assert moments.tolist() == fabricated.moments_by_loops(pixels)


@pytest.mark.parametrize('form', [Image.fromarray, np.asarray])
def test_gray_counts_as_three_equal_channels(form):
  gray = fabricated.pixels(1, channels=1)
  moments = moments_of(form(gray))
  assert moments.tolist() == fabricated.moments_by_loops(np.stack([gray] * 3, axis=-1))


@pytest.mark.parametrize('value', [1, 255])
def test_an_image_of_several_strips_does_not_overflow(value):
  # 300 * 500 pixels are 2.3 strips; 150,000 * 255 ** 2 exceeds 2 ** 32.
  image = Image.new('RGB', (500, 300), (value, 0, value))
  n, s, q = (150_000 * value**power for power in (0, 1, 2))
  expected = [[n, s, 0, s], [s, q, 0, q], [0, 0, 0, 0], [s, q, 0, q]]
  # A one-pixel image afterwards: values left in the buffer by the larger image must not count.
  assert moments_of(image, Image.new('RGB', (1, 1))).tolist() == [[n + 1, s, 0, s], *expected[1:]]


def test_statistics_agree_with_numpy():
  images = [fabricated.pixels(seed, height=4 + seed) for seed in range(3)]
  statistics = statistics_of(*images)
  values = np.concatenate([pixels.reshape(-1, 3) for pixels in images]).astype(np.float64)
  # NumPy rounds at every step, which costs a few ulp.
  np.testing.assert_allclose(statistics.mean, values.mean(axis=0), rtol=1e-12)
  np.testing.assert_allclose(statistics.std, values.std(axis=0), rtol=1e-12)
  np.testing.assert_allclose(statistics.covariance, np.cov(values.T, bias=True), rtol=1e-11)


def test_a_single_color_has_zero_deviation():
  statistics = statistics_of(Image.new('RGB', (7, 5), (3, 200, 77)))
  assert statistics.mean == (3.0, 200.0, 77.0)
  assert statistics.std == (0.0, 0.0, 0.0)
  assert statistics.covariance == ((0.0,) * 3,) * 3


def textured(seed):
  """An image of unclipped noise about a random color, and its means of 8x8 blocks."""
  rng = np.random.default_rng(seed)
  pixels = rng.integers(40, 160, 3) + rng.integers(-40, 41, (128, 128, 3))
  image = Image.fromarray(pixels.astype(np.uint8))
  return image, image.reduce(8)


def test_a_sample_corrects_the_block_means_of_other_images():
  images = [textured(seed) for seed in range(60)]
  counter = pixel_moments.MomentCounter()
  for i, (image, means) in enumerate(images):
    if i % 6:
      counter.add_means(means)
    else:
      counter.add_sample(image, means)
  statistics = pixel_moments.compute_statistics(counter.moments)
  exact = statistics_of(*(image for image, _ in images))
  # Block means are rounded to integers, by at most 0.5, in every image alike.
  np.testing.assert_allclose(statistics.mean, exact.mean, atol=0.02)
  # The noise varies by sqrt(2 / 128 ** 2) = 1 % between images, so the sample of ten by 0.4 %.
  np.testing.assert_allclose(statistics.std, exact.std, rtol=0.004)
  of_means = statistics_of(*(means for _, means in images))
  assert np.all(np.array(of_means.std) < 0.9 * np.array(exact.std))
  assert pixel_moments.fraction_from_means(counter.moments) == 50 / 60


def test_a_sample_of_all_images_is_exact():
  images = [textured(seed) for seed in range(3)]
  counter = pixel_moments.MomentCounter()
  for image, means in images:
    counter.add_sample(image, means)
  exact = statistics_of(*(image for image, _ in images))
  assert pixel_moments.compute_statistics(counter.moments) == exact
