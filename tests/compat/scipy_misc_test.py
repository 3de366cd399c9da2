import numpy as np
import PIL.Image
import pytest

from vgg_slim.compat import scipy_misc

COLORS = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)


def test_an_image_is_written_and_read_unchanged(tmp_path):
  scipy_misc.imsave(tmp_path / 'a.png', COLORS)
  np.testing.assert_array_equal(scipy_misc.imread(tmp_path / 'a.png'), COLORS)
  assert scipy_misc.imread(tmp_path / 'a.png', mode='RGBA').shape == (2, 4, 4)


def test_gray_values_are_those_of_the_luma_formula(tmp_path):
  scipy_misc.imsave(tmp_path / 'a.png', COLORS)
  gray = scipy_misc.imread(tmp_path / 'a.png', flatten=True)
  # ITU-R 601: 0.299 R + 0.587 G + 0.114 B, which Pillow computes in 16 bits after the point.
  np.testing.assert_allclose(gray, COLORS @ [0.299, 0.587, 0.114], atol=1e-3)


def test_palettes_become_colors(tmp_path):
  PIL.Image.fromarray(COLORS).quantize(8).save(tmp_path / 'a.png')
  assert scipy_misc.imread(tmp_path / 'a.png').shape == (2, 4, 3)


def test_values_that_are_not_bytes_are_stretched():
  np.testing.assert_array_equal(scipy_misc.bytescale(np.array([-1.0, 0, 1])), [0, 128, 255])
  np.testing.assert_array_equal(scipy_misc.bytescale(np.array([0.5]), cmin=0, cmax=1), [128])
  np.testing.assert_array_equal(scipy_misc.bytescale(np.array([7.0, 7])), [0, 0])


def test_channels_may_come_first():
  image = scipy_misc.toimage(COLORS.transpose(2, 0, 1))
  np.testing.assert_array_equal(np.asarray(image), COLORS)


@pytest.mark.parametrize('size', [50, 0.5, (1, 2)])
def test_sizes_are_percentages_factors_or_height_and_width(size):
  assert scipy_misc.imresize(COLORS, size).shape == (1, 2, 3)


def test_nearest_pixels_are_repeated():
  large = scipy_misc.imresize(COLORS, (4, 8), 'nearest')
  np.testing.assert_array_equal(large, COLORS.repeat(2, 0).repeat(2, 1))


def test_rotation_is_counterclockwise():
  square = COLORS[:, :2]
  np.testing.assert_array_equal(scipy_misc.imrotate(square, 90, 'nearest'), np.rot90(square))
