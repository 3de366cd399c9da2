import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from tests.data import fabricated
from tests.preprocessing import deep_files
from tests.preprocessing.graph_test import photo
from tests.testing import graph_session
from vgg_slim.compat import tf
from vgg_slim.preprocessing import description, graph_decoding, host

RGB = photo(33, 47)
GRAY = photo(33, 47, 1)[..., 0]
ALPHA = np.add.outer(np.arange(33) * 3, np.arange(47) * 3).astype(np.uint8)


def save(image, image_format, **options):
  stream = io.BytesIO()
  image.save(stream, image_format, **options)
  return stream.getvalue()


def as_mode(mode, image_format='PNG', **options):
  return save(Image.fromarray(RGB).convert(mode), image_format, **options)


def exif_of(orientation, byte_order='<', before=0, kind=3):
  """Makes EXIF data with `before` other tags in front of the orientation."""
  order = {'<': 'little', '>': 'big'}[byte_order]

  def number(value, size):
    return value.to_bytes(size, order)

  entries = [number(0x0100 + i, 2) + number(4, 2) + number(1, 4) + bytes(4) for i in range(before)]
  value = number(orientation, 2) + bytes(2) if kind == 3 else number(orientation, 4)
  entries.append(number(0x0112, 2) + number(kind, 2) + number(1, 4) + value)
  header = (b'II*\0' if order == 'little' else b'MM\0*') + number(8, 4)
  return b'Exif\0\0' + header + number(len(entries), 2) + b''.join(entries) + bytes(4)


def with_alpha(mode):
  image = Image.fromarray(RGB).convert(mode)
  image.putalpha(Image.fromarray(ALPHA))
  return image


def with_transparent_palette():
  image = Image.fromarray(RGB).quantize(40)
  image.info['transparency'] = bytes(range(0, 200, 5))
  return image


def with_comment(png, text):
  """Returns the file with a tEXt chunk before its pixels."""
  return insert_chunk(png, 33, b'tEXt', b'Comment\0' + text)


def insert_chunk(png, at, name, data):
  checksum = zlib.crc32(name + data)
  return (
    png[:at] + struct.pack('>I', len(data)) + name + data + struct.pack('>I', checksum) + png[at:]
  )


def rgba_of_16_bits():
  """Writes a PNG file of 16-bit RGBA, which Pillow cannot."""
  deep = np.random.default_rng(0).integers(0, 65536, [5, 7, 4], np.uint16).astype('>u2')
  rows = b''.join(b'\0' + row.tobytes() for row in deep)

  def chunk(kind, data):
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))

  header = struct.pack('>IIBBBBB', 7, 5, 16, 6, 0, 0, 0)
  chunks = chunk(b'IHDR', header) + chunk(b'IDAT', zlib.compress(rows)) + chunk(b'IEND', b'')
  return b'\x89PNG\r\n\x1a\n' + chunks


DEEP = np.random.default_rng(1).integers(0, 1024, [9, 6, 4]).astype(np.uint16)
DEEP_KINDS = {
  'gray': deep_files.png(DEEP[..., 0]),
  'gray of 10 bits by sBIT': deep_files.png(DEEP[..., 0], sbit=[10]),
  'rgb': deep_files.png(DEEP[..., :3]),
  'rgb of 12 bits by sBIT': deep_files.png(DEEP[..., :3], sbit=[10, 12, 11]),
  'rgb filled up, with sBIT': deep_files.png(DEEP[..., :3] * 64, sbit=[10, 10, 10]),
  'la': deep_files.png(DEEP[..., :2]),
  'rgba': deep_files.png(DEEP),
  'rgba with full alpha': deep_files.png(
    DEEP | np.array([0, 0, 0, 65535], np.uint16), sbit=[10] * 4
  ),
  'color key': deep_files.png(
    DEEP[..., :3], extra=[(b'tRNS', struct.pack('>HHH', *DEEP[3, 2, :3].tolist()))]
  ),
  '8 bit': save(Image.fromarray(RGB), 'PNG'),
}


EXACT = {
  'rgb jpeg': save(Image.fromarray(RGB), 'JPEG'),
  'progressive jpeg': save(Image.fromarray(RGB), 'JPEG', progressive=True),
  'gray jpeg': save(Image.fromarray(GRAY), 'JPEG'),
  'rgb png': save(Image.fromarray(RGB), 'PNG'),
  'gray png': save(Image.fromarray(GRAY), 'PNG'),
  'one pixel': save(Image.fromarray(RGB[:1, :1]), 'PNG'),
  '1 bit': as_mode('1'),
  'palette': save(Image.fromarray(RGB).quantize(40), 'PNG'),
  'palette of 4 bits': save(Image.fromarray(RGB).quantize(7), 'PNG'),
  'palette with alpha': save(with_transparent_palette(), 'PNG'),
  'rgba': save(with_alpha('RGB'), 'PNG'),
  'la': save(with_alpha('L'), 'PNG'),
  'color key': save(Image.fromarray(RGB), 'PNG', transparency=tuple(int(c) for c in RGB[3, 5])),
  'gray color key': save(Image.fromarray(GRAY), 'PNG', transparency=int(GRAY[3, 5])),
  '16 bit': save(Image.fromarray(np.arange(35, dtype=np.uint16).reshape(5, 7) * 1800), 'PNG'),
  '16 bit rgba': rgba_of_16_bits(),
  # Chunk names inside a text are not chunks.
  'comment with tRNS': with_comment(save(Image.fromarray(RGB).quantize(7), 'PNG'), b'tRNS'),
  'comment with IDAT': with_comment(save(with_transparent_palette(), 'PNG'), b'IDAT'),
  'gif': save(Image.fromarray(RGB).quantize(40), 'GIF'),
  'gray gif': save(Image.fromarray(GRAY), 'GIF'),
  'bmp': save(Image.fromarray(RGB), 'BMP'),
  'animated gif': save(
    Image.fromarray(GRAY), 'GIF', save_all=True, append_images=[Image.fromarray(GRAY[::-1].copy())]
  ),
}


@pytest.fixture(scope='module')
def decode():
  """A function that decodes files in one graph."""
  with graph_session() as session:
    encoded = tf.placeholder(tf.string, [])
    pixels = graph_decoding.build_pixels(encoded)
    yield lambda data: session.run(pixels, {encoded: data})


def expected(data, pixel_range=None):
  return host.decode_rgb(host.read_image(data, pixel_range=pixel_range).encoded)


@pytest.mark.parametrize('kind', EXACT)
def test_pixels_equal_those_of_the_host(decode, kind):
  np.testing.assert_array_equal(decode(EXACT[kind]), expected(EXACT[kind]))


@pytest.mark.parametrize('pixel_range', [None, (0, 1023), (100.0, 5000.0)])
def test_deep_images_are_scaled_as_on_the_host(pixel_range):
  with graph_session() as session:
    encoded = tf.placeholder(tf.string, [])
    pixels = graph_decoding.build_pixels(encoded, pixel_range)
    for kind, data in DEEP_KINDS.items():
      got = session.run(pixels, {encoded: data})
      np.testing.assert_array_equal(got, expected(data, pixel_range), err_msg=kind)


@pytest.mark.parametrize('orientation', range(10))  # 0 and 9 are undefined
@pytest.mark.parametrize('byte_order', ['<', '>'])
def test_a_png_is_turned_upright(decode, orientation, byte_order):
  data = save(Image.fromarray(RGB), 'PNG', exif=exif_of(orientation, byte_order, before=2)[6:])
  np.testing.assert_array_equal(decode(data), expected(data))


def test_a_png_is_turned_by_a_chunk_after_its_pixels_but_not_by_a_comment(decode):
  png = with_comment(save(Image.fromarray(RGB), 'PNG'), b'eXIf')
  turned = insert_chunk(png, len(png) - 12, b'eXIf', exif_of(6)[6:])
  np.testing.assert_array_equal(decode(png), RGB)
  np.testing.assert_array_equal(decode(turned), np.rot90(RGB, -1))
  np.testing.assert_array_equal(decode(turned), expected(turned))


@pytest.mark.parametrize('orientation', range(10))
@pytest.mark.parametrize('byte_order', ['<', '>'])
def test_a_jpeg_is_turned_upright(decode, orientation, byte_order):
  exif = exif_of(orientation, byte_order, before=orientation)
  data = save(Image.fromarray(RGB), 'JPEG', quality=95, exif=exif, comment=b'Exif\0\0MM')
  # The host encodes a turned JPEG again, at quality 95.
  np.testing.assert_allclose(decode(data).astype(int), expected(data), atol=6)


def test_an_orientation_of_four_bytes(decode):
  for byte_order in '<>':
    data = save(Image.fromarray(RGB), 'PNG', exif=exif_of(6, byte_order, kind=4)[6:])
    np.testing.assert_array_equal(decode(data), expected(data))


def test_truncated_exif_data_are_ignored(decode):
  exif = exif_of(6, before=3)
  for length in range(6, len(exif) - 12, 5):
    data = save(Image.fromarray(RGB), 'JPEG', exif=exif[:length])
    np.testing.assert_array_equal(decode(data), decode(EXACT['rgb jpeg']))


CMYK = as_mode('CMYK', 'JPEG', quality=95)
ADOBE = CMYK.index(b'Adobe')


@pytest.mark.parametrize('transform', [0, 2])
def test_cmyk_and_ycck(decode, transform):
  data = CMYK[: ADOBE + 11] + bytes([transform]) + CMYK[ADOBE + 12 :]
  # The host encodes again as RGB, at quality 95; in the second case colors are out of range.
  np.testing.assert_allclose(decode(data).astype(int), expected(data), atol=10)


def transparent_gif():
  image = Image.fromarray(RGB).quantize(40)
  return save(image, 'GIF', transparency=3)


def partial_gif():
  data = bytearray(save(Image.fromarray(RGB).quantize(4), 'GIF'))
  data[6:8] = (60).to_bytes(2, 'little')  # the image is wider than its frame
  return bytes(data)


@pytest.mark.parametrize(
  ('data', 'message'),
  [
    (as_mode('RGB', 'WEBP'), 'Only JPEG, PNG, GIF and BMP files'),
    (as_mode('RGB', 'TIFF'), 'Only JPEG, PNG, GIF and BMP files'),
    (b'', 'Only JPEG, PNG, GIF and BMP files'),
    (transparent_gif(), 'GIF files with transparency are not decoded'),
    (partial_gif(), 'The first frame of the GIF file does not cover the image'),
    (as_mode('P', 'BMP'), 'Only uncompressed 24-bit BMP files'),
    (CMYK[: ADOBE - 4] + CMYK[ADOBE + 12 :], 'CMYK JPEG files without the Adobe marker'),
    (EXACT['rgb jpeg'][:300], 'JPEG'),
  ],
  ids=['webp', 'tiff', 'empty', 'transparent gif', 'partial gif', 'bmp', 'cmyk', 'truncated'],
)
def test_files_that_would_be_decoded_wrongly_are_refused(decode, data, message):
  with pytest.raises(tf.errors.InvalidArgumentError, match=message):
    decode(data)


@pytest.mark.parametrize('stored_side', [None, 40])
def test_a_batch_of_mixed_sizes_is_prepared_as_on_the_host(stored_side):
  rules = description.Preprocessing((0.0,) * 3, 1.0, 32, stored_side=stored_side)
  files = [
    save(Image.fromarray(photo(60, 91)), 'PNG'),
    save(Image.fromarray(photo(48, 45)), 'JPEG', quality=95, exif=exif_of(8)),
    fabricated.encoded(fabricated.pixels(0, 20, 31)),
  ]
  with graph_session() as session:
    encoded = tf.placeholder(tf.string, [])
    image = graph_decoding.build_image(encoded, rules)
    means = tf.map_fn(
      lambda data: tf.reduce_mean(graph_decoding.build_image(data, rules), [0, 1]),
      tf.constant(files),
      fn_output_signature=tf.float32,
    )
    images = [session.run(image, {encoded: data}) for data in files]
    batch_means = session.run(means)
  for got, mean, data in zip(images, batch_means, files, strict=True):
    prepared = host.prepare(data, rules)
    assert got.shape == prepared.shape
    # The host rounds twice if it reduces an image, and it encodes a turned JPEG file again.
    np.testing.assert_allclose(got, prepared, atol=6 if data[:1] == b'\xff' else 1)
    np.testing.assert_allclose(mean, got.mean((0, 1)), rtol=1e-5)
