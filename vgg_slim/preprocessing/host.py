"""Preprocessing from encoded images to network input with Pillow and NumPy: the reference.

No TensorFlow. `read_image` is the only reader of foreign files; the converter and `tools/predict`
call it. It returns an upright JPEG or PNG file of 8-bit gray or RGB without alpha, which every
decoder reads alike; files of this kind keep their bytes. The other functions do the same as the
functions of that name in `graph`.
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

# Extension -> Pillow's names of the formats it may stand for. Pillow does not read HEIC, which is
# listed so that such files are quarantined with their names instead of being ignored.
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
# First bytes of files that are images whatever their extension.
_SIGNATURES = (b'\xff\xd8\xff', b'\x89PNG\r\n\x1a\n', b'GIF8', b'BM', b'II*\0', b'MM\0*')

# MPO is a JPEG file followed by more images.
_KEPT_FORMATS = {'JPEG': 'jpeg', 'MPO': 'jpeg', 'PNG': 'png'}
_PNG_SIGNATURE = b'\x89PNG\r\n\x1a\n'
_PNG_COLOR_TYPES = {1: 0, 3: 2}  # by the number of channels
_PNG_BIT_DEPTH_OFFSET = 24
_MODES = {'1': '1 bit', 'P': 'palette', 'PA': 'palette'}
_ORIENTATION = 0x0112
# EXIF orientation -> transposition that makes the image upright; other values need none.
_UPRIGHT: dict[int | None, Image.Transpose] = {
  2: Image.Transpose.FLIP_LEFT_RIGHT,
  3: Image.Transpose.ROTATE_180,
  4: Image.Transpose.FLIP_TOP_BOTTOM,
  5: Image.Transpose.TRANSPOSE,
  6: Image.Transpose.ROTATE_270,
  7: Image.Transpose.TRANSVERSE,
  8: Image.Transpose.ROTATE_90,
}
_EIGHTH = 8
_SMALLEST_FOR_EIGHTH = 128  # smaller side in pixels; below it, little time would be saved
_JPEG_QUALITY = 95  # for JPEG files that have to be encoded again
_THUMBNAIL_SIDE = 64


class StoredImage(NamedTuple):
  """An image as it is stored, together with its pixels.

  Attributes:
    encoded: JPEG or PNG bytes.
    image_format: format of `encoded`, 'jpeg' or 'png'.
    height: height of `encoded` in pixels.
    width: width of `encoded` in pixels.
    fixes: descriptions of the repairs. Empty if `encoded` is the original file, or if the image was
      only reduced.
    found_format: Pillow's name for the format of the original file, such as 'WEBP'; 'pixels' for an
      array.
    image: pixels of `encoded` in mode L or RGB; for an array, the uint8 [H, W] or [H, W, 3] given.
    is_eighth_scale: whether `image` has an eighth of the height and width, as means of 8x8 pixels.
  """

  encoded: bytes
  image_format: str
  height: int
  width: int
  fixes: tuple[str, ...]
  found_format: str
  image: Image.Image | np.ndarray
  is_eighth_scale: bool = False


def is_image_file(extension: str, head: bytes) -> bool:
  """Returns whether a file is an image by its extension, in either case, or by its first bytes."""
  is_webp = head[:4] == b'RIFF' and head[8:12] == b'WEBP'
  return extension.lower() in EXTENSIONS or head.startswith(_SIGNATURES) or is_webp


def encode_png(pixels: np.ndarray) -> bytes:
  """Encodes uint8 [H, W] (gray, one channel) or [H, W, 3] (RGB) as PNG.

  Used for the small images of IDX, CIFAR and npz files: at 28x28 pixels it is three times as fast
  as Pillow, whose encoder takes more time to set up than to compress.
  """
  height, width = pixels.shape[:2]
  row_bytes = pixels.size // height
  rows = np.zeros((height, 1 + row_bytes), np.uint8)  # rows start with a filter type, 0: none
  rows[:, 1:] = pixels.reshape(height, row_bytes)
  color_type = _PNG_COLOR_TYPES[row_bytes // width]
  header = struct.pack('>IIBBBBB', width, height, 8, color_type, 0, 0, 0)
  return b''.join(
    (
      _PNG_SIGNATURE,
      _png_chunk(b'IHDR', header),
      _png_chunk(b'IDAT', zlib.compress(rows.data)),
      _png_chunk(b'IEND', b''),
    )
  )


def store_pixels(pixels: np.ndarray) -> StoredImage:
  """Encodes uint8 [H, W] or [H, W, 3] as a stored PNG image."""
  height, width = pixels.shape[:2]
  encoded = encode_png(pixels)
  return StoredImage(encoded, 'png', height, width, (), 'pixels', pixels)


def read_image(
  data: bytes, smaller_side: int | None = None, allow_eighth_scale: bool = False
) -> StoredImage:
  """Decodes an image file, and encodes it again if it has to be repaired or reduced.

  JPEG files then stay JPEG, at quality 95 and without chroma subsampling; others become PNG.

  Args:
    data: content of the file.
    smaller_side: smaller side in pixels to which larger images are reduced, with the antialiased
      filter; None keeps their size.
    allow_eighth_scale: whether large JPEG files that need no repair may be decoded at an eighth of
      their height and width. The file is still read to its end, so damage is noticed; this takes
      0.4 instead of 1.2 ms for 500x375 pixels.

  Raises:
    DataError: the data are not an image, are damaged, have more pixels than Pillow's limit of 89
      million, or have pixels that no 8-bit range is defined for; the message gives only the reason.
  """
  if not data:
    raise DataError('the file is empty')
  try:
    with warnings.catch_warnings():
      warnings.simplefilter('ignore')
      warnings.simplefilter('error', Image.DecompressionBombWarning)
      return _read(data, smaller_side, allow_eighth_scale)
  except UnidentifiedImageError as error:
    raise DataError('not an image that Pillow can read') from error
  except DataError:
    raise
  # Pillow's readers raise errors of many types for damaged files: OSError, SyntaxError, ...
  except Exception as error:
    raise DataError(f'{error} ({type(error).__name__})') from error


def decode_rgb(encoded: bytes) -> np.ndarray:
  """Decodes `StoredImage.encoded` to uint8 [H, W, 3], RGB; repeats a gray channel."""
  return np.asarray(Image.open(io.BytesIO(encoded)).convert('RGB'))


def prepare(data: bytes, rules: description.Preprocessing) -> np.ndarray:
  """Preprocesses an image up to, but not including, the crop and normalization.

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
  """Returns height and width after the smaller side of `size` is resized to `side`."""
  # In float32, as in the graph, so that both round to the same size.
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
  return (pixels - np.asarray(rgb_mean, np.float32)) * np.asarray(pixel_scale, np.float32)


def thumbnail(image: Image.Image | np.ndarray) -> bytes:
  """Encodes `StoredImage.image` as a JPEG file of at most 64 pixels per side."""
  small = Image.fromarray(image) if isinstance(image, np.ndarray) else image.copy()
  small.thumbnail((_THUMBNAIL_SIDE, _THUMBNAIL_SIDE))
  return _encode(small, 'jpeg', quality=80)


def _read(data: bytes, smaller_side: int | None, allow_eighth_scale: bool) -> StoredImage:
  with Image.open(io.BytesIO(data), formats=_formats()) as image:
    if allow_eighth_scale and _is_kept_large_jpeg(image, smaller_side):
      width, height = image.size
      image.draft(None, (width // _EIGHTH, height // _EIGHTH))
      image.load()
      return StoredImage(data, 'jpeg', height, width, (), 'JPEG', image, is_eighth_scale=True)
    image.load()
    found_format = image.format
    image_format = _KEPT_FORMATS.get(found_format)
    if found_format == 'PNG':
      _check_png_chunks(data)
    is_16_bit = found_format == 'PNG' and data[_PNG_BIT_DEPTH_OFFSET] == 16
    repaired, fixes = _repair(image, is_16_bit)
  if image_format is None:
    fixes.insert(0, f'{found_format} file')
  is_reduced = False
  if smaller_side is not None and min(repaired.size) > smaller_side:
    repaired, is_reduced = _reduce(repaired, smaller_side), True
  encoded = data
  if fixes or is_reduced:
    encoded = _encode(repaired, image_format or 'png')
    if image_format == 'jpeg':  # lossy, so the pixels are those that readers will decode
      repaired = Image.open(io.BytesIO(encoded))
      repaired.load()
  return StoredImage(
    encoded,
    image_format or 'png',
    repaired.height,
    repaired.width,
    tuple(fixes),
    found_format,
    repaired,
  )


def _is_kept_large_jpeg(image: Image.Image, smaller_side: int | None) -> bool:
  """Returns whether an image whose header has been read is a large JPEG that keeps its bytes."""
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
  """Returns raster formats only: Pillow passes EPS, for one, to a program that executes it."""
  Image.init()
  known = {name for names in EXTENSIONS.values() for name in names}
  return sorted(known & set(Image.OPEN), key=lambda name: (name not in _KEPT_FORMATS, name))


def _repair(image: Image.Image, is_16_bit: bool) -> tuple[Image.Image, list[str]]:
  """Returns an upright image of mode L or RGB, and descriptions of the repairs."""
  fixes = []
  upright = _UPRIGHT.get(_orientation(image))
  if image.format != 'MPO' and getattr(image, 'is_animated', False):
    fixes.append('first of several frames')
  if image.mode.startswith('I;16') or (image.mode == 'I' and image.format == 'PNG'):
    # Keeps the high byte; Pillow's own conversion would clip at 255.
    fixes.append('16 bit')
    image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
  elif is_16_bit:  # Pillow has already kept the high bytes
    fixes.append('16 bit')
  if image.mode in ('I', 'F'):
    raise DataError(f'pixels of mode {image.mode!r} have no fixed range such as 0..255')
  if image.mode not in ('L', 'RGB', 'LA', 'RGBA'):
    fixes.append(_MODES.get(image.mode, image.mode))
  target_mode = 'L' if image.mode in ('1', 'L', 'LA', 'La') else 'RGB'
  if image.has_transparency_data:
    fixes.append('alpha')
    image = _compose_on_white(image)
  if image.mode != target_mode:
    image = image.convert(target_mode)
  if upright is not None:
    fixes.append('EXIF rotation')
    image = image.transpose(upright)
  return image, fixes


def _orientation(image: Image.Image) -> int | None:
  try:
    return image.getexif().get(_ORIENTATION)
  # An image with damaged EXIF data can still be used.
  except Exception:
    return None


def _compose_on_white(image: Image.Image) -> Image.Image:
  """Shows an image as browsers do; transparent pixels often hide colors that nobody ever saw."""
  image = image.convert('RGBA')
  return Image.alpha_composite(Image.new('RGBA', image.size, 'white'), image)


def _reduce(image: Image.Image, smaller_side: int) -> Image.Image:
  height, width = resized_size((image.height, image.width), smaller_side)
  return image.resize((width, height), Image.Resampling.BILINEAR)  # antialiased, in Pillow


def _resize_weights(length: int, new_length: int, resize_filter: str) -> np.ndarray:
  """Returns the weights of the old pixels in each new pixel, float64 [new_length, length]."""
  pitch = length / new_length
  centers = (np.arange(new_length) + 0.5) * pitch - 0.5
  radius = max(1.0, pitch) if resize_filter == description.ANTIALIASED else 1.0
  distances = np.abs(np.arange(length) - centers[:, np.newaxis])
  weights = np.maximum(0, 1 - distances / radius)
  return weights / weights.sum(1, keepdims=True)


def _check_png_chunks(data: bytes) -> None:
  """Raises a DataError for damage that Pillow's decoder tolerates and TensorFlow's does not.

  Verifies the checksums of the critical chunks, whose type starts with a capital letter.
  """
  start = len(_PNG_SIGNATURE)
  while start < len(data):
    end = start + 12 + int.from_bytes(data[start : start + 4], 'big')  # length, type, ..., CRC-32
    kind = data[start + 4 : start + 8]
    if end > len(data):
      break
    is_intact = zlib.crc32(data[start + 4 : end - 4]) == int.from_bytes(data[end - 4 : end], 'big')
    if kind[:1].isupper() and not is_intact:
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
  # Metadata that Pillow keeps from the original file, such as its orientation, must not be saved.
  image.info = {}
  image.save(stream, image_format, exif=b'', **options)
  return stream.getvalue()
