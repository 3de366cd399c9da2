import io

import numpy as np
import pytest
from PIL import Image

from tests.data import fabricated
from tests.data.fabricated import moments_by_loops
from vgg_slim.compat import tf
from vgg_slim.data import pictures
from vgg_slim.errors import DataError

RGB = fabricated.pixels(0)
GREY = fabricated.pixels(1, channels=1)


def as_mode(mode, array=RGB, image_format='PNG', **options):
  stream = io.BytesIO()
  Image.fromarray(array).convert(mode).save(stream, image_format, **options)
  return stream.getvalue()


def decode_with_tensorflow(encoded):
  with tf.Graph().as_default(), tf.Session() as session:
    return session.run(tf.io.decode_image(encoded, channels=3, expand_animations=False))


def test_png_round_trip_is_exact_and_grey_stays_one_channel():
  for array, mode in ((RGB, 'RGB'), (GREY, 'L')):
    image = Image.open(io.BytesIO(pictures.encode_png(array)))
    assert (image.format, image.mode) == ('PNG', mode)
    np.testing.assert_array_equal(np.asarray(image), array)


def test_size_and_moments():
  picture = pictures.read_picture(fabricated.encoded(RGB))
  assert (picture.height, picture.width) == (5, 7)
  np.testing.assert_array_equal(picture.moments, moments_by_loops(RGB))


@pytest.mark.parametrize('image_format', ['JPEG', 'PNG'])
def test_jpeg_and_png_bytes_are_kept(image_format):
  data = fabricated.encoded(RGB, image_format)
  picture = pictures.read_picture(data)
  assert picture.encoded is data
  assert picture.image_format == image_format.lower()


@pytest.mark.parametrize(
  ('image_format', 'options'),
  [('BMP', {}), ('TIFF', {}), ('PPM', {}), ('TGA', {}), ('WEBP', {'lossless': True})],
)
def test_other_formats_become_png_of_the_same_pixels(image_format, options):
  picture = pictures.read_picture(fabricated.encoded(RGB, image_format, **options))
  assert picture.image_format == 'png'
  np.testing.assert_array_equal(decode_with_tensorflow(picture.encoded), RGB)


def test_of_an_animation_the_first_frame_counts():
  stream = io.BytesIO()
  frames = [Image.fromarray(fabricated.pixels(seed, channels=1)) for seed in (1, 2)]
  frames[0].save(stream, 'GIF', save_all=True, append_images=frames[1:])
  picture = pictures.read_picture(stream.getvalue())
  np.testing.assert_array_equal(decode_with_tensorflow(picture.encoded)[..., 0], GREY)


@pytest.mark.parametrize(
  'data',
  [
    as_mode('RGBA'),
    as_mode('LA'),
    as_mode('1'),
    as_mode('P'),
    as_mode('P', transparency=bytes(range(256))),
    fabricated.encoded(np.arange(35, dtype=np.uint16).reshape(5, 7) * 1800),
  ],
  ids=['rgba', 'grey+alpha', '1 bit', 'palette', 'palette+alpha', '16 bit'],
)
def test_moments_of_every_png_are_of_the_values_that_tensorflow_decodes(data):
  decoded = decode_with_tensorflow(data)
  np.testing.assert_array_equal(pictures.read_picture(data).moments, moments_by_loops(decoded))


def test_a_cmyk_jpeg_is_near_what_tensorflow_decodes():
  data = as_mode('CMYK', np.full((16, 16, 3), (200, 100, 50), np.uint8), 'JPEG')
  moments = pictures.read_picture(data).moments
  mean = moments[0, 1:] / moments[0, 0]
  # The two differ in how they round K out of CMY; one grey level is the most seen.
  np.testing.assert_allclose(mean, decode_with_tensorflow(data).mean(axis=(0, 1)), atol=2)


def damaged(data, at):
  changed = bytearray(data)
  changed[at] ^= 0xFF
  return bytes(changed)


PNG = fabricated.encoded(RGB)
JPEG = fabricated.encoded(fabricated.pixels(3, 64, 64), 'JPEG')


@pytest.mark.parametrize(
  ('data', 'reason'),
  [
    (b'', 'the file is empty'),
    (b'hello', 'not a picture that Pillow can read'),
    (bytes(1000), 'not a picture that Pillow can read'),
    (JPEG[: len(JPEG) // 2], 'truncated'),
    (JPEG[:-2], 'truncated'),
    (PNG[: len(PNG) // 2], 'truncated'),
    (PNG[:-12], 'truncated'),
    (PNG[:-4], 'truncated'),
    (damaged(PNG, PNG.index(b'IEND') - 5), 'IDAT'),  # the checksum of the last IDAT
    (fabricated.encoded(np.ones((3, 4), np.float32), 'TIFF'), "mode 'F' have no range"),
  ],
  ids=['empty', 'text', 'zeros', 'jpeg/2', 'jpeg-2', 'png/2', 'png-12', 'png-4', 'crc', 'float'],
)
def test_a_broken_picture_says_why(data, reason):
  with pytest.raises(DataError, match=reason) as caught:
    pictures.read_picture(data)
  assert '0x' not in str(caught.value)
