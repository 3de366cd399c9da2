import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from tests.data import fabricated
from tests.preprocessing import deep_files
from vgg_slim.errors import DataError
from vgg_slim.preprocessing import host, image_formats, sample_depth

DEEP = np.random.default_rng(0).integers(0, 65536, [5, 7, 4]).astype(np.uint16)
BY_CHANNELS = {1: DEEP[..., 0], 2: DEEP[..., :2], 3: DEEP[..., :3], 4: DEEP}


def samples_of(data):
  return sample_depth.read(image_formats.open_image(data), data)


@pytest.mark.parametrize('channels', BY_CHANNELS)
@pytest.mark.parametrize('interlaced', [False, True])
def test_all_bits_of_a_png_are_read(channels, interlaced):
  values = BY_CHANNELS[channels]
  samples = samples_of(deep_files.png(values, interlaced=interlaced))
  np.testing.assert_array_equal(samples.values, values)
  assert (samples.bits, samples.stated) == (16, None)
  colors = values[..., :-1] if channels in (2, 4) else values
  assert samples.largest_unstated == colors.max()


@pytest.mark.parametrize('order', '<>')
@pytest.mark.parametrize('is_compressed', [False, True])
@pytest.mark.parametrize('channels', [1, 3, 4])
def test_all_bits_of_a_tiff_are_read(order, is_compressed, channels):
  values = BY_CHANNELS[channels]
  samples = samples_of(deep_files.tiff(values, order, is_compressed))
  np.testing.assert_array_equal(samples.values, values)
  assert (samples.bits, samples.stated) == (16, None)


@pytest.mark.parametrize(
  ('bits', 'largest', 'stated'),
  [
    (10, 1023, (0, 1023)),  # as the sensor gave them
    (12, 5, (0, 4095)),
    (10, 1024, (0, 65535)),  # filled up to 16 bits, as the standard says
    (16, 5, (0, 65535)),
  ],
)
def test_significant_bits_of_a_png(bits, largest, stated):
  values = np.array([[0, largest]], np.uint16)
  assert samples_of(deep_files.png(values, sbit=[bits])).stated == stated


def test_a_color_key_becomes_alpha():
  values = np.array([[[1, 2, 3], [1, 2, 4]]], np.uint16)
  data = deep_files.png(values, extra=[(b'tRNS', struct.pack('>HHH', 1, 2, 3))])
  np.testing.assert_array_equal(samples_of(data).values[0, :, 3], [0, 65535])


def save(array, image_format, **options):
  stream = io.BytesIO()
  Image.fromarray(array).save(stream, image_format, **options)
  return stream.getvalue()


def test_ranges_that_other_files_state():
  gray = DEEP[..., 0] % 4096
  assert samples_of(save(gray, 'TIFF', tiffinfo={341: 4000})).stated == (0, 4000)
  assert samples_of(save(gray, 'TIFF', tiffinfo={281: 4000, 280: 16})).stated == (16, 4000)
  packed = deep_files.tiff_12_bit(gray)
  assert samples_of(packed).stated == (0, 4095)
  np.testing.assert_array_equal(samples_of(packed).values, gray)
  ppm = b'P5 2 1 4095 ' + np.array([[0, 4095]], '>u2').tobytes()  # Pillow scales it
  assert samples_of(ppm).stated == (0, 65535)
  assert samples_of(ppm).values.tolist() == [[0, 65535]]


def test_images_of_8_bits_are_left_to_pillow():
  for image_format in ('PNG', 'TIFF', 'BMP', 'GIF', 'WEBP'):
    assert samples_of(fabricated.encoded(fabricated.pixels(0), image_format)) is None


@pytest.mark.parametrize(
  ('values', 'pixel_range', 'expected'),
  [
    ([0, 255, 256, 65535], None, [0, 0, 1, 255]),
    ([0, 15, 16, 4095, 5000], (0, 4095), [0, 0, 1, 255, 255]),
    ([100, 101, 355], (100, 355), [0, 1, 255]),
  ],
)
def test_integers_keep_their_high_bits(values, pixel_range, expected):
  samples = sample_depth.Samples(np.array([values], np.uint16), 16, None)
  assert sample_depth.to_8_bit(samples, pixel_range)[0].tolist() == [expected]


def test_floats_are_rounded_and_the_file_decides_before_the_user():
  values = np.array([[-1, 0, 0.25, 1, 2]], np.float32)
  samples = sample_depth.Samples(values, 32, None)
  scaled, text = sample_depth.to_8_bit(samples, (0, 1))
  assert (scaled.tolist(), text) == ([[0, 0, 64, 255, 255]], '32 bit, 0..1')
  scaled, text = sample_depth.to_8_bit(samples._replace(stated=(0, 2)), (0, 1))
  assert (scaled.tolist(), text) == ([[0, 0, 32, 128, 255]], '32 bit, 0..2')


def test_values_without_a_range_and_values_that_are_not_numbers_are_refused():
  samples = sample_depth.Samples(np.array([[-1.5, 3]], np.float32), 32, None)
  with pytest.raises(DataError, match='32-bit values from -1.5 to 3 have no fixed range'):
    sample_depth.to_8_bit(samples, None)
  with pytest.raises(DataError, match='not finite'):
    sample_depth.to_8_bit(samples._replace(values=np.array([[np.nan]])), (0, 1))


@pytest.mark.parametrize(
  ('largest', 'expected'),
  [(1, 255), (255, 255), (256, 1023), (1023, 1023), (1024, 4095), (4096, 16383), (16384, None)],
)
def test_the_range_of_a_set_is_that_of_a_usual_sensor(largest, expected):
  assert sample_depth.range_of_set(largest) == (expected and (0, expected))


def test_modes_i_and_f_are_read_with_a_range():
  for array in (np.array([[0, 500, 1000]], np.int32), np.array([[0, 500, 1000]], np.float32)):
    stored = host.read_image(save(array, 'TIFF'), pixel_range=(0, 1000))
    assert np.asarray(stored.image).tolist() == [[0, 127 if array.dtype == np.int32 else 128, 255]]
    assert stored.fixes == ('TIFF file', '32 bit, 0..1000')


def test_a_damaged_deep_image_is_refused():
  data = deep_files.png(BY_CHANNELS[3], pixels=zlib.compress(b'short'))
  with pytest.raises(DataError, match='damaged image'):
    host.read_image(data)
