import io

import numpy as np
import pytest
from PIL import Image

from tests.data import fabricated
from vgg_slim.data.conversion import content_digest
from vgg_slim.preprocessing import host


def digest(data, **options):
  if isinstance(data, np.ndarray):
    return content_digest.digest_of(data, host.store_pixels(data))
  return content_digest.digest_of(data, host.read_image(data, **options))


@pytest.mark.parametrize('channels', [1, 3])
def test_pixels_count_and_not_their_format(channels):
  pixels = fabricated.pixels(0, 20, 30, channels)
  files = [
    fabricated.encoded(pixels, 'PNG'),
    fabricated.encoded(pixels, 'PNG', compress_level=0),
    fabricated.encoded(pixels, 'TIFF'),
    fabricated.encoded(pixels, 'BMP'),
    pixels,
  ]
  if channels == 3:
    files.append(fabricated.encoded(pixels, 'WEBP', lossless=True))
  assert len({digest(file) for file in files}) == 1
  other = pixels.copy()
  other[3, 4] ^= 1
  assert digest(other) != digest(pixels)
  assert digest(np.ascontiguousarray(pixels.swapaxes(0, 1))) != digest(pixels)


def test_arrays_of_other_shapes_differ():
  pixels = np.arange(12, dtype=np.uint8)
  digests = {digest(pixels.reshape(shape)) for shape in ((3, 4), (4, 3), (2, 6), (2, 2, 3))}
  assert len(digests) == 4
  assert {len(each) for each in digests} == {content_digest.DIGEST_BYTES}


def with_comment(data):
  return data[:2] + b'\xff\xfe\0\5abc' + data[2:]


@pytest.mark.parametrize('side', [40, 160])
def test_metadata_of_jpeg_files_do_not_count(side):
  image = Image.fromarray(fabricated.pixels(0, side, side + 8))
  exif = Image.Exif()
  exif[0x010E] = 'a holiday'
  plain, tagged, other = io.BytesIO(), io.BytesIO(), io.BytesIO()
  image.save(plain, 'JPEG')
  image.save(tagged, 'JPEG', exif=exif, dpi=(300, 300), comment=b'x')
  image.save(other, 'JPEG', quality=74)
  assert digest(plain.getvalue()) == digest(tagged.getvalue())
  assert digest(plain.getvalue()) == digest(with_comment(plain.getvalue()))
  assert digest(plain.getvalue()) == digest(plain.getvalue(), allow_eighth_scale=True)
  assert digest(plain.getvalue()) != digest(other.getvalue())


def test_colors_of_jpeg_files_count():
  rgb = fabricated.encoded(fabricated.pixels(0, 160, 160), 'JPEG', subsampling=0)
  # Without a JFIF segment, Adobe's says that the channels are RGB and not YCbCr.
  adobe = b'\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\0'
  as_rgb = rgb[:2] + adobe + rgb[20:]
  assert not np.array_equal(*(np.asarray(Image.open(io.BytesIO(f))) for f in (rgb, as_rgb)))
  assert digest(rgb) != digest(as_rgb)
