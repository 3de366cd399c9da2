import io
import sys
import types

import pytest
from PIL import Image

from tests.data import fabricated
from vgg_slim.errors import DataError
from vgg_slim.preprocessing import image_formats

RGB = fabricated.pixels(0)
HEIC = b'\0\0\0\x18ftypheic\0\0\0\0mif1heic'


@pytest.fixture(name='without_heif')
def fixture_without_heif(monkeypatch):
  """As on a machine where the optional package is not installed."""
  monkeypatch.setitem(sys.modules, 'pillow_heif', None)
  image_formats._register_heif.cache_clear()
  yield
  image_formats._register_heif.cache_clear()


def test_images_are_recognized_by_extension_or_first_bytes():
  heads = [fabricated.encoded(RGB, form)[:16] for form in ('JPEG', 'PNG', 'GIF', 'TIFF', 'WEBP')]
  assert all(image_formats.is_image_file('', head) for head in heads)
  for extension in ('.HEIC', '.svg', '.PSD', '.jxl', '.Dng', '.nef', '.cr2'):
    assert image_formats.is_image_file(extension, b'')
  assert not image_formats.is_image_file('.db', b'\xd0\xcf\x11\xe0')


@pytest.mark.parametrize(
  ('data', 'reason'),
  [
    (b'8BPS', 'Photoshop file: save it as PNG or JPEG'),
    (b'%PDF-1.7', 'PDF document'),
    (b'\n<!DOCTYPE HTML>', 'a web page instead of an image'),
    (b'\xef\xbb\xbf<?xml version="1.0"?>\n<SVG xmlns="x">', 'SVG drawing: save it as PNG'),
    (b'\0\0\0\x18ftypcrx ', 'raw camera file: develop it'),
    (bytes(2000), 'the file holds only zeros'),
    (bytes(2000) + b'x', 'not an image that Pillow can read'),
    (b'words', 'not an image that Pillow can read; copy, download or save the file again'),
  ],
)
def test_the_message_says_what_a_file_is_and_what_to_do(data, reason):
  with pytest.raises(DataError, match=reason):
    image_formats.open_image(data)


def test_postscript_is_not_executed():
  with pytest.raises(DataError, match='PostScript drawing'):
    image_formats.open_image(b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n')


def test_a_tiff_file_that_is_an_image_is_not_taken_for_a_raw_photograph():
  assert image_formats.open_image(fabricated.encoded(RGB, 'TIFF')).size == (7, 5)


@pytest.mark.usefixtures('without_heif')
def test_the_package_that_reads_heic_is_named():
  with pytest.raises(
    DataError, match='HEIC image, which pillow-heif reads: .*: pip install pillow-heif'
  ):
    image_formats.open_image(HEIC)


def test_heic_is_read_by_its_package_if_that_is_installed(monkeypatch):
  def register():
    Image.register_open(
      'HEIF',
      lambda file, name: Image.open(io.BytesIO(fabricated.encoded(RGB))),
      lambda head: head[4:8] == b'ftyp',
    )

  package = types.SimpleNamespace(register_heif_opener=register)
  monkeypatch.setitem(sys.modules, 'pillow_heif', package)
  monkeypatch.setattr(Image, 'OPEN', dict(Image.OPEN))
  monkeypatch.setattr(Image, 'ID', list(Image.ID))
  for cached in (image_formats._register_heif, image_formats._formats):
    cached.cache_clear()
  try:
    assert image_formats.open_image(HEIC).size == (7, 5)
  finally:
    for cached in (image_formats._register_heif, image_formats._formats):
      cached.cache_clear()
