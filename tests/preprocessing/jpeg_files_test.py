import io

import numpy as np
import pytest
from PIL import Image

from tests.data import fabricated
from vgg_slim.compat import tf
from vgg_slim.errors import DataError
from vgg_slim.preprocessing import jpeg_files

PIXELS = fabricated.pixels(0, 40, 56)
KINDS = {
  'baseline': fabricated.encoded(PIXELS, 'JPEG'),
  'progressive': fabricated.encoded(PIXELS, 'JPEG', progressive=True),
  'restarts': fabricated.encoded(PIXELS, 'JPEG', restart_marker_blocks=2),
  'gray': fabricated.encoded(PIXELS[..., 0], 'JPEG'),
}
JPEG = KINDS['baseline']


def mode_of(data):
  return Image.open(io.BytesIO(data)).mode


@pytest.mark.parametrize('kind', KINDS)
def test_pixels_are_those_of_pillow(kind):
  image = Image.open(io.BytesIO(KINDS[kind]))
  np.testing.assert_array_equal(jpeg_files.decode(KINDS[kind], image.mode), np.asarray(image))


def test_an_eighth_is_the_smallest_scale():
  image = Image.open(io.BytesIO(JPEG))
  image.draft(None, (7, 5))
  np.testing.assert_array_equal(jpeg_files.decode(JPEG, 'RGB', (1, 1)), np.asarray(image))
  assert jpeg_files.decode(JPEG, 'RGB', (9, 9)).shape == (10, 14, 3)
  assert jpeg_files.decode(JPEG, 'RGB', (30, 30)).shape == (40, 56, 3)


def damage(rng, data, other):
  """Damages the part behind the headers in one of six ways."""
  start = data.index(b'\xff\xda') + 14
  at = int(rng.integers(start, len(data) - 2))
  size = int(rng.choice([1, 8, 64]))
  return [
    data[:at] + data[-2:],
    data[:at],
    data[:at] + bytes(size) + data[at + size : -2] + data[-2:],
    data[:at] + other[other.index(b'\xff\xda') + 14 :],
    data[:at] + bytes((data[at] ^ 1 << int(rng.integers(8)),)) + data[at + 1 :],
    data[:at] + rng.bytes(size) + data[at:],
  ][rng.integers(6)]


def test_every_file_that_tensorflow_warns_of_is_refused(capfd):
  """TensorFlow prints what libjpeg warns of, so whatever is kept must decode in silence."""
  rng = np.random.default_rng(0)
  kinds = list(KINDS.values())
  refused, reported = [], []
  for i in range(200):
    data = damage(rng, kinds[i % 4], kinds[(i + 1) % 4])
    capfd.readouterr()
    try:
      tf.io.decode_jpeg(data)
      reported.append('JPEG' in capfd.readouterr().err)
    except tf.errors.InvalidArgumentError:
      reported.append(True)
    try:
      jpeg_files.decode(data, mode_of(data), (1, 1))
      refused.append(False)
    except (DataError, OSError):
      refused.append(True)
  assert refused == reported
  assert 100 < sum(refused) < 200


def test_reasons_do_not_name_numbers_that_differ_from_file_to_file():
  for data, reason in (
    (JPEG[:-2], 'Premature end of JPEG file'),
    (JPEG[:-2] + bytes(99) + JPEG[-2:], 'extraneous bytes before marker'),
  ):
    with pytest.raises(DataError) as caught:
      jpeg_files.decode(data, 'RGB')
    assert str(caught.value) == (
      f'damaged JPEG file: {reason}; copy, download or save the file again'
    )


def test_an_unknown_version_in_the_header_is_corrected(capfd):
  at = JPEG.index(b'JFIF\0') + 5
  data = JPEG[:at] + b'\0\7' + JPEG[at + 2 :]
  with pytest.raises(DataError, match='unknown JFIF revision'):
    jpeg_files.decode(data, 'RGB')
  assert jpeg_files.repair_header(data) == (JPEG, ['unknown JFIF version 0.07'])
  assert jpeg_files.repair_header(JPEG) == (JPEG, [])


def test_codings_that_tensorflow_does_not_read():
  frame = JPEG.index(b'\xff\xc0')
  for marker, unusual in ((0xC0, False), (0xC1, False), (0xC2, False), (0xC3, True), (0xC9, True)):
    data = JPEG[: frame + 1] + bytes((marker,)) + JPEG[frame + 2 :]
    assert bool(jpeg_files.unusual_coding(data)) == unusual
  assert not jpeg_files.unusual_coding(KINDS['progressive'])
  assert not jpeg_files.unusual_coding(JPEG[:4])


def test_files_that_cannot_be_checked():
  assert all(jpeg_files.can_check(data, mode_of(data)) for data in KINDS.values())
  assert not jpeg_files.can_check(JPEG, 'YCbCr')
  sampling = JPEG.index(b'\xff\xc0') + 11
  assert not jpeg_files.can_check(JPEG[:sampling] + b'\x31' + JPEG[sampling + 1 :], 'RGB')
