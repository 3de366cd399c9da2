"""From encoded images to what a network is fed, by Pillow and NumPy: the reference.

No TensorFlow. `read_image` is the only reader of foreign files; the converter and `tools/predict`
call it. It returns an upright JPEG or PNG file of 8-bit grey or RGB without alpha, which every
decoder reads alike. Files that already are that keep their bytes. The other functions do what those
of the same name in `graph` do.
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
from vgg_slim.preprocessing import description

# Extension -> what Pillow calls the formats that it may stand for. Pillow does not read HEIC; it is
# listed so that such files are quarantined by name and not ignored.
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
# The first bytes of files that are images whatever their name.
_SIGNATURES = (b'\xff\xd8\xff', b'\x89PNG\r\n\x1a\n', b'GIF8', b'BM', b'II*\0', b'MM\0*')

# MPO is a JPEG file followed by more images.
_KEPT_FORMATS = {'JPEG': 'jpeg', 'MPO': 'jpeg', 'PNG': 'png'}
_PNG_SIGNATURE = b'\x89PNG\r\n\x1a\n'
_PNG_COLOUR_TYPES = {1: 0, 3: 2}
_PNG_BIT_DEPTH_AT = 24
_MODES = {'1': '1 bit', 'P': 'palette', 'PA': 'palette'}
_ORIENTATION = 0x0112
# EXIF orientation -> what makes the image upright; 1 and undefined values need nothing.
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
_JPEG_QUALITY = 95  # of JPEG files that have to be encoded again
_THUMBNAIL_SIDE = 64


class StoredImage(NamedTuple):
  """An image that has been decoded once.

  Attributes:
    encoded: JPEG or PNG bytes.
    image_format: 'jpeg' or 'png'.
    height: in pixels, as is `width`, of `encoded`.
    width: see `height`.
    fixes: what had to be repaired, in words. Empty if `encoded` holds the bytes that came, or if
      the image was only reduced.
    found_format: what the file was, in Pillow's words, such as 'WEBP'.
    image: pixels of `encoded`, mode L or RGB; or uint8 [H, W] or [H, W, 3] as they came.
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


def is_image_file(extension: str, head: bytes) -> bool:
  """Whether a file with this extension (in any case) and these first bytes is meant as an image."""
  is_webp = head[:4] == b'RIFF' and head[8:12] == b'WEBP'
  return extension.lower() in EXTENSIONS or head.startswith(_SIGNATURES) or is_webp


def encode_png(pixels: np.ndarray) -> bytes:
  """Returns a PNG file of uint8 [H, W] (grey, one channel) or [H, W, 3] (RGB).

  For the small images of IDX, CIFAR and npz files: three times as fast as Pillow at 28x28 pixels,
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


def store_pixels(pixels: np.ndarray) -> StoredImage:
  """Makes a PNG image of uint8 [H, W] or [H, W, 3]."""
  height, width = pixels.shape[:2]
  encoded = encode_png(pixels)
  return StoredImage(encoded, 'png', height, width, (), 'pixels', pixels)


def read_image(
  data: bytes, smaller_side: int | None = None, eighth_will_do: bool = False
) -> StoredImage:
  """Decodes an image file, and encodes it again where something has to be repaired or reduced.

  JPEG files stay JPEG, at quality 95 and without chroma subsampling; all else becomes PNG.

  Args:
    data: content of the file.
    smaller_side: side in pixels; images whose smaller side is longer are reduced to it, with the
      antialiased filter.
    eighth_will_do: whether large JPEG files that need no repair may be decoded to an 8th of their
      size. The whole file is still read, and what is wrong with it found: 0.4 ms for 500x375
      pixels, against 1.2 ms.

  Raises:
    DataError: not an image, truncated, too large to be one (Pillow's limit of 89 million pixels),
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
    raise DataError('not an image that Pillow can read') from error
  except DataError:
    raise
  # Pillow's readers raise whatever a broken file leads to: OSError, SyntaxError, struct.error ...
  except Exception as error:
    raise DataError(f'{error} ({type(error).__name__})') from error


def decode_rgb(encoded: bytes) -> np.ndarray:
  """Decodes `StoredImage.encoded` to uint8 [H, W, 3], RGB, 0..255; grey is repeated."""
  return np.asarray(Image.open(io.BytesIO(encoded)).convert('RGB'))


def prepare(data: bytes, rules: description.Preprocessing) -> np.ndarray:
  """Does all that comes before the crop and the mean.

  Args:
    data: content of an image file.
    rules: description of a checkpoint's preprocessing.

  Returns:
    float32 [h, w, 3], RGB, 0..255, with min(h, w) == `rules.test_scale`.

  Raises:
    DataError: see `read_image`.
  """
  stored = read_image(data, rules.stored_side)
  return resize_smaller_side(decode_rgb(stored.encoded), rules.test_scale, rules.resize_filter)


def resize_smaller_side(pixels: np.ndarray, side: int, resize_filter: str) -> np.ndarray:
  """Scales uint8 or float32 [H, W, C] so that its smaller side is exactly `side` pixels.

  Returns:
    float32 [H', W', C], with min(H', W') == side.
  """
  height, width = resized_size(pixels.shape[:2], side)
  rows = _resize_weights(pixels.shape[0], height, resize_filter)
  columns = _resize_weights(pixels.shape[1], width, resize_filter)
  resized = np.einsum('yr,rcd,xc->yxd', rows, pixels, columns, optimize=True)
  return resized.astype(np.float32)


def resized_size(size: tuple[int, int], side: int) -> tuple[int, int]:
  """Returns height and width of an image of `size` after its smaller side became `side`."""
  # In float32, as in the graph, so that the two round to the same side.
  ratio = np.float32(side) / np.float32(min(size))
  height, width = (int(np.round(np.float32(length) * ratio)) for length in size)
  return height, width


def crop_middle(pixels: np.ndarray, side: int) -> np.ndarray:
  """Returns the central [side, side, C] of [H, W, C]."""
  top, left = ((length - side + 1) // 2 for length in pixels.shape[:2])
  return pixels[top : top + side, left : left + side]


def normalize(
  pixels: np.ndarray, rgb_mean: description.Rgb, pixel_scale: float | description.Rgb
) -> np.ndarray:
  """Returns (pixels - rgb_mean) * pixel_scale for float32 [..., 3], RGB, 0..255."""
  return (pixels - np.float32(rgb_mean)) * np.float32(pixel_scale)


def thumbnail(image: Image.Image | np.ndarray) -> bytes:
  """A JPEG file of `StoredImage.image`, at most 64 pixels a side."""
  small = Image.fromarray(image) if isinstance(image, np.ndarray) else image.copy()
  small.thumbnail((_THUMBNAIL_SIDE, _THUMBNAIL_SIDE))
  return _encode(small, 'jpeg', quality=80)


def _read(data: bytes, smaller_side: int | None, eighth_will_do: bool) -> StoredImage:
  with Image.open(io.BytesIO(data), formats=_formats()) as image:
    if eighth_will_do and _is_fine_jpeg(image, smaller_side):
      width, height = image.size
      image.draft(None, (width // _EIGHTH, height // _EIGHTH))
      image.load()
      return StoredImage(data, 'jpeg', height, width, (), 'JPEG', image, is_eighth=True)
    image.load()
    found_format = image.format
    image_format = _KEPT_FORMATS.get(found_format)
    if found_format == 'PNG':
      _check_png_chunks(data)
    is_deep = found_format == 'PNG' and data[_PNG_BIT_DEPTH_AT] == 16
    flat, fixes = _repair(image, is_deep)
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
  return StoredImage(
    encoded,
    image_format or 'png',
    flat.height,
    flat.width,
    tuple(fixes),
    found_format,
    flat,
  )


def _is_fine_jpeg(image: Image.Image, smaller_side: int | None) -> bool:
  """Whether an image whose header was read is a large JPEG file that will keep its bytes."""
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


def _repair(image: Image.Image, is_deep: bool) -> tuple[Image.Image, list[str]]:
  """Returns an upright image of mode L or RGB, and what was done to make it so."""
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
  # Broken EXIF data are not a reason to lose the image.
  except Exception:
    return None


def _on_white(image: Image.Image) -> Image.Image:
  """What a browser shows; transparent pixels often hide colours that nobody ever saw."""
  image = image.convert('RGBA')
  return Image.alpha_composite(Image.new('RGBA', image.size, 'white'), image)


def _reduce(image: Image.Image, smaller_side: int) -> Image.Image:
  height, width = resized_size((image.height, image.width), smaller_side)
  return image.resize((width, height), Image.Resampling.BILINEAR)  # antialiased, in Pillow


def _resize_weights(length: int, new_length: int, resize_filter: str) -> np.ndarray:
  """Weights, float64 [new_length, length], of the old pixels in each new one."""
  pitch = length / new_length
  centers = (np.arange(new_length) + 0.5) * pitch - 0.5
  radius = max(1.0, pitch) if resize_filter == description.ANTIALIASED else 1.0
  distances = np.abs(np.arange(length) - centers[:, np.newaxis])
  weights = np.maximum(0, 1 - distances / radius)
  return weights / weights.sum(1, keepdims=True)


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
