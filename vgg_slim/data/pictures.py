"""Encoded pictures through Pillow: what is wrong with one, and its repair. No TensorFlow.

What leaves here is an upright JPEG or PNG file of 8-bit grey or RGB without alpha, which every
decoder reads alike. Files that are so already keep their bytes.
"""

import functools
import io
import struct
import warnings
import zlib
from typing import NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from vgg_slim.errors import DataError

# Extension -> what Pillow calls the formats that it may stand for. HEIC is not among those that
# Pillow reads; it stands here so that it is quarantined by name and not passed over unseen.
EXTENSIONS = {
  **dict.fromkeys(('.jpg', '.jpeg', '.jpe', '.jfif'), ('JPEG', 'MPO')),
  **dict.fromkeys(('.png', '.apng'), ('PNG',)),
  **dict.fromkeys(('.bmp', '.dib'), ('BMP', 'DIB')),
  '.gif': ('GIF',),
  '.webp': ('WEBP',),
  **dict.fromkeys(('.tif', '.tiff'), ('TIFF',)),
  **dict.fromkeys(('.pbm', '.pgm', '.ppm', '.pnm'), ('PPM',)),
  '.tga': ('TGA',),
  '.jp2': ('JPEG2000',),
  '.avif': ('AVIF',),
  **dict.fromkeys(('.heic', '.heif'), ('HEIF',)),
}
# The first bytes of files that are pictures whatever their name.
_SIGNATURES = (b'\xff\xd8\xff', b'\x89PNG\r\n\x1a\n', b'GIF8', b'BM', b'II*\0', b'MM\0*')

# MPO is a JPEG file with more pictures behind the first.
_KEPT_FORMATS = {'JPEG': 'jpeg', 'MPO': 'jpeg', 'PNG': 'png'}
_PNG_SIGNATURE = b'\x89PNG\r\n\x1a\n'
_PNG_COLOUR_TYPES = {1: 0, 3: 2}
_PNG_BIT_DEPTH_AT = 24
_MODES = {'1': '1 bit', 'P': 'palette', 'PA': 'palette'}
_ORIENTATION = 0x0112
# EXIF orientation -> what makes the picture upright; 1 and values that mean nothing need nothing.
_UPRIGHT = {
  2: Image.Transpose.FLIP_LEFT_RIGHT,
  3: Image.Transpose.ROTATE_180,
  4: Image.Transpose.FLIP_TOP_BOTTOM,
  5: Image.Transpose.TRANSPOSE,
  6: Image.Transpose.ROTATE_270,
  7: Image.Transpose.TRANSVERSE,
  8: Image.Transpose.ROTATE_90,
}
_EIGHTH = 8
_SMALLEST_FOR_EIGHTH = 128  # pixels of the smaller side; below, the saving is small
_JPEG_QUALITY = 95  # of what was a JPEG file and had to be encoded anew
_THUMBNAIL_SIDE = 64


class Picture(NamedTuple):
  """A picture that has been decoded once.

  Attributes:
    encoded: JPEG or PNG bytes.
    image_format: 'jpeg' or 'png'.
    height: in pixels, as is `width`, of `encoded`.
    width: see `height`.
    fixes: what had to be mended, in words; empty if `encoded` holds the bytes that came.
    found_format: what the file was, in Pillow's words, such as 'WEBP'.
    image: pixels of `encoded`, mode L or RGB; or as they came, uint8 [H, W] or [H, W, 3].
    is_eighth: whether `image` has an 8th of the height and width, means of 8x8 pixels.
  """

  encoded: bytes
  image_format: str
  height: int
  width: int
  fixes: tuple[str, ...]
  found_format: str
  image: Image.Image | np.ndarray
  is_eighth: bool = False


def is_picture_file(extension: str, head: bytes) -> bool:
  """Whether a file of this extension (in any case) and these first bytes is meant as a picture."""
  is_webp = head[:4] == b'RIFF' and head[8:12] == b'WEBP'
  return extension.lower() in EXTENSIONS or head.startswith(_SIGNATURES) or is_webp


def encode_png(pixels: np.ndarray) -> bytes:
  """Returns a PNG file of uint8 [H, W] (grey, one channel) or [H, W, 3] (RGB).

  For the small pictures of IDX, CIFAR and npz files: three times as fast as Pillow at 28x28 pixels,
  where setting Pillow's encoder up costs more than the compression.
  """
  height, width = pixels.shape[:2]
  row_bytes = pixels.size // height
  rows = np.zeros((height, 1 + row_bytes), np.uint8)  # each row starts with its filter, 0: none
  rows[:, 1:] = pixels.reshape(height, row_bytes)
  colour_type = _PNG_COLOUR_TYPES[row_bytes // width]
  header = struct.pack('>IIBBBBB', width, height, 8, colour_type, 0, 0, 0)
  return b''.join(
    (
      _PNG_SIGNATURE,
      _png_chunk(b'IHDR', header),
      _png_chunk(b'IDAT', zlib.compress(rows)),
      _png_chunk(b'IEND', b''),
    )
  )


def picture_of_pixels(pixels: np.ndarray) -> Picture:
  """Makes a PNG picture of uint8 [H, W] or [H, W, 3]."""
  height, width = pixels.shape[:2]
  encoded = encode_png(pixels)
  return Picture(encoded, 'png', height, width, (), 'pixels', pixels)


def read_picture(
  data: bytes, smaller_side: int | None = None, eighth_will_do: bool = False
) -> Picture:
  """Decodes a picture file, and encodes it anew where something has to be mended.

  JPEG files stay JPEG, at quality 95 and without chroma subsampling; all else becomes PNG.

  Args:
    data: the file.
    smaller_side: pictures whose smaller side is longer, in pixels, are reduced to it (bicubic).
    eighth_will_do: whether large JPEG files that need no mending may be decoded to an 8th of their
      size. The whole file is still read, and what is wrong with it found: 0.4 ms for 500x375
      pixels, against 1.2 ms.

  Raises:
    DataError: not a picture, truncated, too large to be one (Pillow's limit of 89 million pixels),
      or without an 8-bit reading; says the reason only.
  """
  if not data:
    raise DataError('the file is empty')
  try:
    with warnings.catch_warnings():
      warnings.simplefilter('ignore')
      warnings.simplefilter('error', Image.DecompressionBombWarning)
      return _read(data, smaller_side, eighth_will_do)
  except UnidentifiedImageError as error:
    raise DataError('not a picture that Pillow can read') from error
  except DataError:
    raise
  # Pillow's readers raise whatever a broken file leads to: OSError, SyntaxError, struct.error ...
  except Exception as error:
    raise DataError(f'{error} ({type(error).__name__})') from error


def thumbnail(image: Image.Image | np.ndarray) -> bytes:
  """A JPEG file of `Picture.image`, at most 64 pixels a side."""
  small = Image.fromarray(image) if isinstance(image, np.ndarray) else image.copy()
  small.thumbnail((_THUMBNAIL_SIDE, _THUMBNAIL_SIDE))
  return _encode(small, 'jpeg', quality=80)


def _read(data: bytes, smaller_side: int | None, eighth_will_do: bool) -> Picture:
  with Image.open(io.BytesIO(data), formats=_formats()) as image:
    if eighth_will_do and _is_fine_jpeg(image, smaller_side):
      width, height = image.size
      image.draft(None, (width // _EIGHTH, height // _EIGHTH))
      image.load()
      return Picture(data, 'jpeg', height, width, (), 'JPEG', image, is_eighth=True)
    image.load()
    found_format = image.format
    image_format = _KEPT_FORMATS.get(found_format)
    if found_format == 'PNG':
      _check_png_chunks(data)
    is_deep = found_format == 'PNG' and data[_PNG_BIT_DEPTH_AT] == 16
    flat, fixes = _mend(image, is_deep)
  if image_format is None:
    fixes.insert(0, f'{found_format} file')
  is_reduced = smaller_side is not None and min(flat.size) > smaller_side
  if is_reduced:
    flat = _reduce(flat, smaller_side)
  encoded = data
  if fixes or is_reduced:
    encoded = _encode(flat, image_format or 'png')
    if image_format == 'jpeg':  # loses a little: what counts is what will be read
      flat = Image.open(io.BytesIO(encoded))
      flat.load()
  return Picture(
    encoded,
    image_format or 'png',
    flat.height,
    flat.width,
    tuple(fixes),
    found_format,
    flat,
  )


def _is_fine_jpeg(image: Image.Image, smaller_side: int | None) -> bool:
  """Whether a picture whose head was read is a large JPEG file that will keep its bytes."""
  side = min(image.size)
  return (
    image.format == 'JPEG'
    and image.mode in ('L', 'RGB')
    and side >= _SMALLEST_FOR_EIGHTH
    and not (smaller_side is not None and side > smaller_side)
    and _orientation(image) not in _UPRIGHT
  )


@functools.cache
def _formats() -> list[str]:
  """Raster formats only: Pillow hands EPS, for one, to a program that runs it."""
  Image.init()
  wanted = {name for names in EXTENSIONS.values() for name in names}
  return sorted(wanted & set(Image.OPEN), key=lambda name: (name not in _KEPT_FORMATS, name))


def _mend(image: Image.Image, is_deep: bool) -> tuple[Image.Image, list[str]]:
  """Returns an upright picture of mode L or RGB, and what was done to make it so."""
  fixes = []
  upright = _UPRIGHT.get(_orientation(image))
  if image.format != 'MPO' and getattr(image, 'is_animated', False):
    fixes.append('first of several frames')
  if image.mode.startswith('I;16') or (image.mode == 'I' and image.format == 'PNG'):
    # The high byte. Pillow's own conversion would clip at 255.
    fixes.append('16 bit')
    image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
  elif is_deep:  # Pillow has taken the high bytes already
    fixes.append('16 bit')
  if image.mode in ('I', 'F'):
    raise DataError(f'pixels of mode {image.mode!r} have no range of 0..255')
  if image.mode not in ('L', 'RGB', 'LA', 'RGBA'):
    fixes.append(_MODES.get(image.mode, image.mode))
  wanted_mode = 'L' if image.mode in ('1', 'L', 'LA', 'La') else 'RGB'
  if image.has_transparency_data:
    fixes.append('alpha')
    image = _on_white(image)
  if image.mode != wanted_mode:
    image = image.convert(wanted_mode)
  if upright is not None:
    fixes.append('EXIF rotation')
    image = image.transpose(upright)
  return image, fixes


def _orientation(image: Image.Image) -> int | None:
  try:
    return image.getexif().get(_ORIENTATION)
  # Broken EXIF data is no reason to lose the picture.
  except Exception:
    return None


def _on_white(image: Image.Image) -> Image.Image:
  """What a browser shows; transparent pixels often hide colours that nobody ever saw."""
  image = image.convert('RGBA')
  return Image.alpha_composite(Image.new('RGBA', image.size, 'white'), image)


def _reduce(image: Image.Image, smaller_side: int) -> Image.Image:
  ratio = smaller_side / min(image.size)
  width, height = (max(smaller_side, round(side * ratio)) for side in image.size)
  return image.resize((width, height), Image.Resampling.BICUBIC)


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


def _png_chunk(kind: bytes, data: bytes) -> bytes:
  checksum = zlib.crc32(data, zlib.crc32(kind))
  return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', checksum)


def _encode(image: Image.Image, image_format: str, quality: int = _JPEG_QUALITY) -> bytes:
  stream = io.BytesIO()
  options = {'quality': quality, 'subsampling': 0} if image_format == 'jpeg' else {}
  # What Pillow remembers of the file, such as its EXIF rotation, must not come back.
  image.info = {}
  image.save(stream, image_format, exif=b'', **options)
  return stream.getvalue()
