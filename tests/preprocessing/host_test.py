import io

import numpy as np
import pytest
from PIL import Image

from tests.data import fabricated
from vgg_slim.compat import tf
from vgg_slim.errors import DataError
from vgg_slim.preprocessing import description, graph, host

RGB = fabricated.pixels(0)
GRAY = fabricated.pixels(1, channels=1)


def as_mode(mode, array=RGB, image_format='PNG', **options):
  stream = io.BytesIO()
  Image.fromarray(array).convert(mode).save(stream, image_format, **options)
  return stream.getvalue()


def exif_of(orientation):
  exif = Image.Exif()
  exif[0x0112] = orientation
  return exif


def decode_with_tensorflow(encoded):
  with tf.Graph().as_default(), tf.Session() as session:
    return session.run(graph.decode_rgb(encoded))


def test_size_and_pixels():
  result = host.read_image(fabricated.encoded(RGB))
  assert (result.height, result.width) == (5, 7)
  np.testing.assert_array_equal(np.asarray(result.image), RGB)


@pytest.mark.parametrize('image_format', ['JPEG', 'PNG'])
def test_jpeg_and_png_bytes_are_kept(image_format):
  data = fabricated.encoded(RGB, image_format)
  result = host.read_image(data)
  assert result.encoded is data
  assert result.image_format == image_format.lower()


@pytest.mark.parametrize(
  ('image_format', 'options'),
  [('BMP', {}), ('TIFF', {}), ('PPM', {}), ('TGA', {}), ('WEBP', {'lossless': True})],
)
def test_other_formats_become_png_of_the_same_pixels(image_format, options):
  result = host.read_image(fabricated.encoded(RGB, image_format, **options))
  assert result.image_format == 'png'
  np.testing.assert_array_equal(decode_with_tensorflow(result.encoded), RGB)


def test_the_first_frame_of_an_animation_is_read():
  stream = io.BytesIO()
  frames = [Image.fromarray(fabricated.pixels(seed, channels=1)) for seed in (1, 2)]
  frames[0].save(stream, 'GIF', save_all=True, append_images=frames[1:])
  result = host.read_image(stream.getvalue())
  np.testing.assert_array_equal(decode_with_tensorflow(result.encoded)[..., 0], GRAY)


@pytest.mark.parametrize(
  ('data', 'fixes'),
  [
    (fabricated.encoded(RGB), ()),
    (fabricated.encoded(GRAY), ()),
    (as_mode('RGB', image_format='JPEG'), ()),
    (as_mode('1'), ('1 bit',)),
    (as_mode('P'), ('palette',)),
    (as_mode('CMYK', image_format='JPEG'), ('CMYK',)),
    (fabricated.encoded(np.arange(35, dtype=np.uint16).reshape(5, 7) * 1800), ('16 bit',)),
  ],
  ids=['rgb', 'gray', 'jpeg', '1 bit', 'palette', 'cmyk', '16 bit'],
)
def test_pixels_equal_those_that_tensorflow_decodes(data, fixes):
  result = host.read_image(data)
  assert result.fixes == fixes
  decoded = decode_with_tensorflow(result.encoded)
  np.testing.assert_array_equal(np.asarray(result.image.convert('RGB')), decoded)
  if image_is_png(data):  # TensorFlow converts low bits and palettes in the same way
    np.testing.assert_array_equal(decoded, decode_with_tensorflow(data))


def image_is_png(data):
  return data.startswith(b'\x89PNG')


@pytest.mark.parametrize('mode', ['RGBA', 'LA', 'P'])
def test_transparent_pixels_are_composed_on_white(mode):
  alpha = np.array([[0, 51, 255]], np.uint8)
  image = Image.fromarray(np.array([[100, 100, 100]], np.uint8)).convert(mode)
  if mode == 'P':
    image.info['transparency'] = bytes(range(256))  # the palette's entry 100 has alpha 100
    expected = [round(255 - 155 * 100 / 255)] * 3
  else:
    image.putalpha(Image.fromarray(alpha))
    expected = [255, 255 - 155 // 5, 100]
  stream = io.BytesIO()
  image.save(stream, 'PNG')
  result = host.read_image(stream.getvalue())
  assert result.fixes[-1] == 'alpha'
  assert result.image.mode == ('L' if mode == 'LA' else 'RGB')
  np.testing.assert_allclose(np.asarray(result.image.convert('L'))[0], expected, atol=1)


@pytest.mark.parametrize('orientation', range(1, 9))
def test_images_are_turned_upright_by_their_exif_orientation(orientation):
  # NumPy equivalents of the rotations and flips that the EXIF standard defines.
  upright = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
    8: np.rot90,
  }[orientation](RGB)
  result = host.read_image(fabricated.encoded(RGB, exif=exif_of(orientation)))
  assert result.fixes == (('EXIF rotation',) if orientation > 1 else ())
  assert (result.height, result.width) == upright.shape[:2]
  np.testing.assert_array_equal(decode_with_tensorflow(result.encoded), upright)
  assert host.read_image(result.encoded).fixes == ()


def test_a_repaired_jpeg_stays_a_jpeg():
  smooth = np.add.outer(np.arange(32), np.arange(48))[..., np.newaxis] + np.arange(3)
  image = Image.fromarray(smooth.astype(np.uint8))
  exif = image.getexif()
  exif[0x0112] = 3
  stream = io.BytesIO()
  image.save(stream, 'JPEG', quality=95, exif=exif)
  result = host.read_image(stream.getvalue())
  assert result.image_format == 'jpeg'
  stored = decode_with_tensorflow(stream.getvalue()).astype(int)
  # Encoded twice at quality 95: two gray levels.
  np.testing.assert_allclose(decode_with_tensorflow(result.encoded), np.rot90(stored, 2), atol=2)


def test_reducing_keeps_the_aspect_ratio_and_never_enlarges():
  result = host.read_image(fabricated.encoded(fabricated.pixels(0, 30, 41)), 10)
  assert (result.height, result.width) == (10, 14)
  data = fabricated.encoded(RGB)
  assert host.read_image(data, 5).encoded is data
  flat = host.read_image(fabricated.encoded(np.full((40, 60, 3), 77, np.uint8), 'JPEG'), 20)
  assert (flat.image_format, flat.fixes) == ('jpeg', ())
  np.testing.assert_array_equal(np.asarray(flat.image), np.full((20, 30, 3), 77))


def smooth(height, width):
  """Makes an image without noise, for which different ways of averaging agree."""
  rows, columns = np.mgrid[:height, :width]
  return np.stack([rows, columns, 200 - rows], -1).astype(np.uint8)


def test_a_large_jpeg_that_needs_no_repair_is_decoded_at_an_eighth():
  data = fabricated.encoded(smooth(132, 160), 'JPEG', quality=95)
  result = host.read_image(data, allow_eighth_scale=True)
  assert (result.height, result.width, result.encoded) == (132, 160, data)
  assert result.is_eighth_scale
  assert result.image.size == (20, 17)
  # The last row averages four rows of pixels and four rows of padding by the encoder.
  means = np.asarray(Image.open(io.BytesIO(data)).reduce(8))[:16]
  # Chroma is stored at half the resolution: two gray levels.
  np.testing.assert_allclose(np.asarray(result.image)[:16].astype(int), means, atol=2)


def test_128_pixels_are_large_enough_to_be_decoded_at_an_eighth():
  for size in ((128, 128), (128, 160), (160, 128)):
    data = fabricated.encoded(smooth(*size), 'JPEG')
    assert host.read_image(data, 128, allow_eighth_scale=True).is_eighth_scale


@pytest.mark.parametrize(
  ('data', 'smaller_side'),
  [
    (fabricated.encoded(smooth(127, 160), 'JPEG'), None),
    (fabricated.encoded(smooth(128, 160), 'JPEG'), 64),
    (fabricated.encoded(smooth(128, 160), 'PNG'), None),
    (as_mode('CMYK', smooth(128, 160), 'JPEG'), None),
    (fabricated.encoded(smooth(128, 160), 'JPEG', exif=exif_of(6)), None),
  ],
  ids=['small', 'to be reduced', 'png', 'cmyk', 'rotated'],
)
def test_other_images_are_decoded_at_full_size(data, smaller_side):
  result = host.read_image(data, smaller_side, allow_eighth_scale=True)
  assert not result.is_eighth_scale
  assert result.image.size == (result.width, result.height)


def test_decoding_at_an_eighth_detects_the_same_damage():
  whole = fabricated.encoded(fabricated.pixels(0, 128, 160), 'JPEG')
  rng = np.random.default_rng(0)

  def outcome(data, allow_eighth_scale):
    try:
      return host.read_image(data, allow_eighth_scale=allow_eighth_scale).fixes
    except DataError as error:
      return str(error)

  outcomes = []
  for cut in rng.integers(0, len(whole), 20):
    changed = bytearray(whole)
    changed[cut : cut + 3] = rng.bytes(3)
    outcomes += [(outcome(data, False), outcome(data, True)) for data in (changed, whole[:cut])]
  assert all(one == other for one, other in outcomes)
  assert 20 <= sum(one != () for one, _ in outcomes) < len(outcomes)


def test_a_thumbnail_is_small():
  image = Image.open(io.BytesIO(host.thumbnail(Image.new('L', (300, 100)))))
  assert (image.format, image.size) == ('JPEG', (64, 21))


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
    (b'hello', 'not an image that Pillow can read'),
    (bytes(1000), 'only zeros'),
    (JPEG[: len(JPEG) // 2], 'Premature end'),
    (JPEG[:-2], 'Premature end'),
    (PNG[: len(PNG) // 2], 'truncated'),
    (PNG[:-12], 'truncated'),
    (PNG[:-4], 'truncated'),
    (damaged(PNG, PNG.index(b'IEND') - 5), 'IDAT'),  # the checksum of the last IDAT
    (
      fabricated.encoded(np.ones((3, 4), np.float32), 'TIFF'),
      '32-bit values from 1 to 1',
    ),
    (
      fabricated.encoded(np.ones((3, 4), np.int32), 'TIFF'),
      '32-bit values from 1 to 1',
    ),
  ],
  ids=[
    'empty',
    'text',
    'zeros',
    'jpeg/2',
    'jpeg-2',
    'png/2',
    'png-12',
    'png-4',
    'crc',
    'float',
    'int32',
  ],
)
def test_the_message_says_why_an_image_cannot_be_read(data, reason):
  with pytest.raises(DataError, match=reason) as caught:
    host.read_image(data)
  assert '0x' not in str(caught.value)


def test_an_image_above_the_limit_is_refused_with_both_numbers(monkeypatch):
  monkeypatch.setattr(host, 'MAX_MEGAPIXELS', 0.000034)  # 34 of 35 pixels
  with pytest.raises(DataError, match='7 x 5 pixels are more than the 3.4e-05 megapixels allowed'):
    host.read_image(PNG)


@pytest.mark.parametrize('orientation', [1, 6])
def test_a_huge_jpeg_is_reduced_while_it_is_decoded(monkeypatch, orientation):
  data = fabricated.encoded(smooth(160, 240), 'JPEG', quality=95, exif=exif_of(orientation))
  whole = host.read_image(data, 20)
  monkeypatch.setattr(host, 'MAX_MEGAPIXELS', 0.01)
  huge = host.read_image(data, 20)
  assert (huge.height, huge.width) == (whole.height, whole.width)
  # Averages of 4x4 pixels before the filter, on a smooth image.
  np.testing.assert_allclose(np.asarray(huge.image).astype(int), np.asarray(whole.image), atol=3)


def test_damage_is_noticed_in_channels_that_pillow_converts():
  data = as_mode('CMYK', fabricated.pixels(0, 64, 64), 'JPEG')
  with pytest.raises(DataError, match='damaged JPEG file'):
    host.read_image(data[:-800] + bytes(64) + data[-736:])


def triangle_loop(pixels, new_height, new_width, antialiased):
  """Applies the definition of the filter pixel by pixel."""
  height, width, channels = pixels.shape
  result = np.zeros([new_height, new_width, channels])
  for i, j in np.ndindex(new_height, new_width):
    total = 0
    for y, x in np.ndindex(height, width):
      weight = 1
      for index, new, old, at in ((i, new_height, height, y), (j, new_width, width, x)):
        step = old / new
        radius = max(step, 1) if antialiased else 1
        weight *= max(0, 1 - abs(at + 0.5 - (index + 0.5) * step) / radius)
      total += weight
      result[i, j] += weight * pixels[y, x]
    result[i, j] /= total
  return result


@pytest.mark.parametrize('resize_filter', description.RESIZE_FILTERS)
@pytest.mark.parametrize('side', [4, 7, 9, 13])
def test_resizing_is_a_triangle_filter(resize_filter, side):
  pixels = fabricated.pixels(0, 9, 14)
  got = host.resize_smaller_side(pixels, side, resize_filter)
  size = host.resized_size((9, 14), side)
  expected = triangle_loop(pixels, *size, resize_filter == description.ANTIALIASED)
  np.testing.assert_allclose(got, expected, atol=1e-4)  # float32 of values up to 255


@pytest.mark.parametrize(('height', 'width', 'side'), [(90, 121, 33), (41, 30, 30), (20, 31, 50)])
def test_the_antialiased_filter_is_pillows_bilinear(height, width, side):
  pixels = fabricated.pixels(1, height, width)
  got = host.resize_smaller_side(pixels, side, description.ANTIALIASED)
  expected = Image.fromarray(pixels).resize(got.shape[1::-1], Image.Resampling.BILINEAR)
  # Pillow rounds to integers after each of the two axes.
  np.testing.assert_allclose(got, np.asarray(expected), atol=1.01)


def test_the_network_input_against_values_worked_out_by_hand():
  rules = description.Preprocessing((10.0, 20.0, 30.0), 0.5, 2, stored_side=4)
  pixels = np.zeros([8, 8, 3], np.uint8)
  pixels[:, 4:] = 96
  prepared = host.prepare(fabricated.encoded(pixels), rules)
  # From 8 columns to 4 with weights 1/8, 3/8, 3/8, 1/8: 0, 12, 84, 96. From these to 2: the filter
  # is cut off at the edge, so the weights of the first three are 3/7, 3/7 and 1/7.
  first = (3 * 12 + 84) / 7
  np.testing.assert_allclose(prepared[:, :, 0], [[first, 96 - first]] * 2, atol=1e-4)
  fed = host.normalize(host.crop_middle(prepared, 1), rules.rgb_mean, rules.pixel_scale)
  assert fed.shape == (1, 1, 3)
  # Of two possible central positions the crop takes the second, as in the graph.
  np.testing.assert_allclose(fed[0, 0], (prepared[1, 1] - [10, 20, 30]) / 2)


@pytest.mark.parametrize('shape', [(0, 8), (8, 0), (0, 0, 3)])
def test_an_array_without_pixels_is_refused(shape):
  with pytest.raises(DataError, match='has no pixels'):
    host.store_pixels(np.zeros(shape, np.uint8))
