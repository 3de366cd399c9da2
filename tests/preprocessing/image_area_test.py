import pytest

from vgg_slim.errors import DataError
from vgg_slim.preprocessing import image_area


@pytest.mark.parametrize(
  ('height', 'width', 'test_scale'),
  [
    (2, 300, 32),  # 32 x 4800 pixels
    (480, 640, 384),
    (256, 16384, 256),  # 2**22 pixels
    (1000, 4000, 2048),  # four squares of side Q
  ],
)
def test_images_within_the_limit(height, width, test_scale):
  image_area.check_area(height, width, test_scale)
  image_area.check_area(width, height, test_scale)


@pytest.mark.parametrize(
  ('height', 'width', 'test_scale', 'longer'),
  [
    (2, 300, 256, 38400),
    (256, 16385, 256, 16385),
    (1000, 4010, 2048, 8212),
  ],
)
def test_images_that_are_too_large(height, width, test_scale, longer):
  message = f'^{width} x {height} pixels become {longer} x {test_scale}, more than the .* --views'
  with pytest.raises(DataError, match=message):
    image_area.check_area(height, width, test_scale)
  with pytest.raises(DataError, match=f'become {test_scale} x {longer}, more than'):
    image_area.check_area(width, height, test_scale)


def test_an_image_for_crops_may_be_eight_times_as_large():
  image_area.check_area(256, 8 * 16384, 256, is_cropped=True)
  with pytest.raises(DataError, match='^131073 x 256 .* that can be cut into crops: leave'):
    image_area.check_area(256, 8 * 16384 + 1, 256, is_cropped=True)


def test_only_a_scale_that_is_large_enough_for_the_network_is_proposed():
  """At Q = 91, 1 x 500 pixels become 91 x 45500, just below 2**22; most networks take 224."""
  with pytest.raises(DataError, match='or leave the image out$'):
    image_area.check_area(500, 1, 256, smallest_scale=224)
  with pytest.raises(DataError, match='out; with Q up to 91 it could be scored as it is$'):
    image_area.check_area(500, 1, 256, smallest_scale=91)
  image_area.check_area(500, 1, 91)
  with pytest.raises(DataError, match='with Q up to 91'):
    image_area.check_area(500, 1, 92)
  image_area.check_area(1000, 6000, 836)  # a panorama
  with pytest.raises(DataError, match='with Q up to 836'):
    image_area.check_area(1000, 6000, 1024, smallest_scale=224)
