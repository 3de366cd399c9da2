"""Encoded pictures through Pillow: checks, sizes, pixel sums, PNG. No TensorFlow."""

import io
import zlib
from typing import NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from vgg_slim.data.pixel_moments import moments_of
from vgg_slim.errors import DataError

# What TensorFlow decodes as it is; MPO is a JPEG file with more pictures behind the first.
_KEPT_FORMATS = {'JPEG': 'jpeg', 'MPO': 'jpeg', 'PNG': 'png'}
_PNG_SIGNATURE = b'\x89PNG\r\n\x1a\n'


class Picture(NamedTuple):
  """A picture that has been decoded once.

  Attributes:
    encoded: JPEG or PNG bytes.
    image_format: 'jpeg' or 'png'.
    height: in pixels, as is `width`; stored size, whatever orientation EXIF asks for.
    width: see `height`.
    moments: int64 [4, 4], see `pixel_moments`.
  """

  encoded: bytes
  image_format: str
  height: int
  width: int
  moments: np.ndarray


def encode_png(pixels: np.ndarray) -> bytes:
  """Returns a PNG file of uint8 [H, W] (grey, one channel) or [H, W, 3] (RGB)."""
  return _to_png(Image.fromarray(pixels))


def read_picture(data: bytes) -> Picture:
  """Decodes a picture file; JPEG and PNG bytes are kept, all else becomes PNG.

  Of an animation the first frame counts. Alpha is dropped, as TensorFlow's decoders drop it.

  Raises:
    DataError: not a picture, truncated, or without an 8-bit reading; says the reason only.
  """
  if not data:
    raise DataError('the file is empty')
  try:
    with Image.open(io.BytesIO(data)) as image:
      image.load()
      image_format = _KEPT_FORMATS.get(image.format)
      flat = _to_grey_or_rgb(image)
    if image_format == 'png':
      _check_png_chunks(data)
  except UnidentifiedImageError as error:
    raise DataError('not a picture that Pillow can read') from error
  except DataError:
    raise
  # Pillow's readers raise whatever a broken file leads to: OSError, SyntaxError, struct.error ...
  except Exception as error:
    raise DataError(f'{error} ({type(error).__name__})') from error
  encoded = data if image_format else _to_png(flat)
  return Picture(encoded, image_format or 'png', flat.height, flat.width, moments_of(flat))


def _to_grey_or_rgb(image: Image.Image) -> Image.Image:
  """Returns mode L or RGB, with the values that TensorFlow's decoders give."""
  if image.mode in ('L', 'RGB'):
    return image
  if image.mode.startswith('I;16') or (image.mode == 'I' and image.format == 'PNG'):
    # 16-bit grey: the high byte. Pillow's own conversion would clip at 255.
    return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
  if image.mode in ('I', 'F'):
    raise DataError(f'pixels of mode {image.mode!r} have no range of 0..255')
  if image.mode in ('1', 'LA', 'La'):
    return image.convert('L')
  image.info.pop('transparency', None)
  return image.convert('RGB')


def _check_png_chunks(data: bytes) -> None:
  """Raises DataError for damage that Pillow's decoder lets pass and TensorFlow's does not.

  Checks the checksums of the critical chunks, whose type starts with a capital letter.
  """
  start = len(_PNG_SIGNATURE)
  while start < len(data):
    end = start + 12 + int.from_bytes(data[start : start + 4], 'big')  # length, type, ..., CRC-32
    kind = data[start + 4 : start + 8]
    if end > len(data):
      break
    is_whole = zlib.crc32(data[start + 4 : end - 4]) == int.from_bytes(data[end - 4 : end], 'big')
    if kind[:1].isupper() and not is_whole:
      raise DataError(f'PNG chunk {kind!r} has a wrong checksum')
    if kind == b'IEND':
      return
    start = end
  raise DataError('truncated PNG file')


def _to_png(image: Image.Image) -> bytes:
  # Pillow's level 6: for 28x28 grey 138 us and 501 bytes a picture; level 1 122 us and 521.
  stream = io.BytesIO()
  image.save(stream, 'PNG')
  return stream.getvalue()
