import types

import numpy as np
import pytest
from PIL import Image

from vgg_slim.preprocessing import upright_images

PIXELS = np.arange(6, dtype=np.uint8).reshape(2, 3)


def test_the_orientation_is_read_and_damage_is_ignored():
  image = Image.new('L', (3, 2))
  assert upright_images.orientation_of(image) is None
  image.getexif()[0x0112] = 6
  assert upright_images.orientation_of(image) == 6
  broken = types.SimpleNamespace(getexif=lambda: 1 / 0)
  assert upright_images.orientation_of(broken) is None


# By the EXIF standard: which row and column of the stored image is the visual top and left.
@pytest.mark.parametrize(
  ('orientation', 'expected'),
  [
    (None, PIXELS),
    (1, PIXELS),
    (2, [[2, 1, 0], [5, 4, 3]]),
    (3, [[5, 4, 3], [2, 1, 0]]),
    (4, [[3, 4, 5], [0, 1, 2]]),
    (5, [[0, 3], [1, 4], [2, 5]]),
    (6, [[3, 0], [4, 1], [5, 2]]),
    (7, [[5, 2], [4, 1], [3, 0]]),
    (8, [[2, 5], [1, 4], [0, 3]]),
    (9, PIXELS),
  ],
)
def test_images_are_turned_upright(orientation, expected):
  image, fixes = upright_images.make_plain(Image.fromarray(PIXELS), orientation)
  np.testing.assert_array_equal(np.asarray(image), expected)
  is_turned = orientation in range(2, 9)
  assert fixes == (['EXIF rotation'] if is_turned else [])
  assert upright_images.is_turned(orientation) == is_turned
  assert upright_images.swaps_sides(orientation) == (np.shape(expected) != (2, 3))


@pytest.mark.parametrize(
  ('mode', 'target', 'fixes'),
  [
    ('L', 'L', []),
    ('RGB', 'RGB', []),
    ('1', 'L', ['1 bit']),
    ('P', 'RGB', ['palette']),
    ('CMYK', 'RGB', ['CMYK']),
    ('LA', 'L', ['alpha']),
    ('RGBA', 'RGB', ['alpha']),
  ],
)
def test_modes_become_gray_or_rgb(mode, target, fixes):
  image, got = upright_images.make_plain(Image.new(mode, (3, 2)), None)
  assert (image.mode, got) == (target, fixes)


def test_transparent_pixels_are_white():
  image = Image.fromarray(np.array([[[9, 9, 9, 0], [9, 9, 9, 255]]], np.uint8))
  got, _ = upright_images.make_plain(image, None)
  assert np.asarray(got).tolist() == [[[255] * 3, [9] * 3]]
