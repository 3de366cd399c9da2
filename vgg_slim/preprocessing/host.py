"""Preprocessing from encoded images to network input with Pillow and NumPy: the reference.

No TensorFlow. `read_image` is the only reader of foreign files; the converter and `tools/predict`
call it. It returns an upright JPEG or PNG file of 8-bit gray or RGB without alpha, which every
decoder reads alike; files of this kind keep their bytes. The other functions do the same as the
functions of that name in `graph`.
"""

import io
import warnings
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageFile

from vgg_slim.errors import DataError
from vgg_slim.preprocessing import (
  description,
  image_formats,
  jpeg_files,
  png_files,
  sample_depth,
  upright_images,
)

# MPO is a JPEG file followed by more images.
_KEPT_FORMATS = {'JPEG': 'jpeg', 'MPO': 'jpeg', 'PNG': 'png'}
_SMALLEST_FOR_EIGHTH = 128  # smaller side in pixels; below it, little time would be saved
_JPEG_QUALITY = 95  # for JPEG files that have to be encoded again
_THUMBNAIL_SIDE = 64
MAX_MEGAPIXELS = 90  # 270 MB of RGB
# The largest sensors of phones have 200. Above the limit for other formats, JPEG files are decoded
# at a reduced scale where that is possible.
MAX_MEGAPIXELS_JPEG = 250


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
    largest_unstated: largest value of the original image of 16 bits whose range the file does not
      state; None for other images.
  """

  encoded: bytes
  image_format: str
  height: int
  width: int
  fixes: tuple[str, ...]
  found_format: str
  image: Image.Image | np.ndarray
  is_eighth_scale: bool = False
  largest_unstated: int | None = None


def store_pixels(pixels: np.ndarray) -> StoredImage:
  """Encodes uint8 [H, W] or [H, W, 3] as a stored PNG image.

  Raises:
    DataError: the image has no pixels.
  """
  if not pixels.size:
    raise DataError(f'an image of shape {list(pixels.shape)} has no pixels')
  height, width = pixels.shape[:2]
  encoded = png_files.encode(pixels)
  return StoredImage(encoded, 'png', height, width, (), 'pixels', pixels)


def read_image(
  data: bytes,
  smaller_side: int | None = None,
  allow_eighth_scale: bool = False,
  pixel_range: description.Range | None = None,
  max_megapixels: float | None = None,
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
    pixel_range: values that become 0 and 255 in an image of more than 8 bits whose file does not
      say; None means all 16 bits.
    max_megapixels: largest size that is read; by default MAX_MEGAPIXELS, or MAX_MEGAPIXELS_JPEG in
      a JPEG file.

  Raises:
    DataError: the data are not an image, are damaged, have too many pixels, or have values
      whose range is not known. The message gives the reason and what to do, without the name of the
      file.
  """
  if not data:
    raise DataError(f'the file is empty; {image_formats.GET_AGAIN}')
  try:
    with warnings.catch_warnings():
      warnings.simplefilter('ignore')
      opened = _open(data, max_megapixels)
      return _read(opened, smaller_side, allow_eighth_scale, pixel_range)
  except DataError:
    raise
  # Pillow's readers raise errors of many types for damaged files: OSError, SyntaxError, ...
  except Exception as error:
    reason = f'{error} ({type(error).__name__})'
    raise DataError(f'damaged image: {reason}; {image_formats.GET_AGAIN}') from error


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
  stored = read_image(data, rules.stored_side, pixel_range=rules.pixel_range)
  return resize(decode_rgb(stored.encoded), rules.test_scale, rules)


def resize(pixels: np.ndarray, side: int, rules: description.HasPixelRules) -> np.ndarray:
  """Resizes uint8 or float32 [H, W, C] so that its smaller side, or each side, is `side` pixels."""
  if rules.keep_aspect_ratio:
    return resize_smaller_side(pixels, side, rules.resize_filter)
  return _resize(pixels, (side, side), rules.resize_filter)


def resize_smaller_side(pixels: np.ndarray, side: int, resize_filter: str) -> np.ndarray:
  """Scales uint8 or float32 [H, W, C] so that its smaller side is exactly `side` pixels.

  Returns:
    float32 [H', W', C], with min(H', W') == side.
  """
  return _resize(pixels, resized_size(pixels.shape[:2], side), resize_filter)


def _resize(pixels: np.ndarray, size: tuple[int, int], resize_filter: str) -> np.ndarray:
  height, width = size
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


def network_input(pixels: np.ndarray, rules: description.HasPixelRules) -> np.ndarray:
  """Turns pixels, float32 [..., H, W, 3], 0..255, into what the network is fed."""
  if not rules.per_image_standardization:
    return normalize(pixels, rules.rgb_mean, rules.pixel_scale)
  axes = (-3, -2, -1)
  smallest = 1 / np.sqrt(np.prod(pixels.shape[-3:]))
  centered = pixels - pixels.mean(axes, keepdims=True)
  return centered / np.maximum(pixels.std(axes, keepdims=True), smallest)


def thumbnail(image: Image.Image | np.ndarray) -> bytes:
  """Encodes `StoredImage.image` as a JPEG file of at most 64 pixels per side."""
  small = Image.fromarray(image) if isinstance(image, np.ndarray) else image.copy()
  small.thumbnail((_THUMBNAIL_SIDE, _THUMBNAIL_SIDE))
  return _encode(small, 'jpeg', quality=80)


class _Opened(NamedTuple):
  """An image file whose size is allowed.

  Attributes:
    data: content of the file after the repairs.
    image: the image, decoded unless it is a JPEG file.
    fixes: descriptions of the repairs, which left the encoded pixels as they were.
    samples: the values, if they have more than 8 bits.
  """

  data: bytes
  image: ImageFile.ImageFile
  fixes: list[str]
  samples: sample_depth.Samples | None = None


class _Decoded(NamedTuple):
  """Pixels of a JPEG file, and reasons to encode them again."""

  image: Image.Image
  changes: list[str]
  is_eighth_scale: bool = False


def _open(data: bytes, max_megapixels: float | None) -> _Opened:
  if data.startswith(jpeg_files.SIGNATURE):
    data, fixes = jpeg_files.repair_header(data)
    return _Opened(data, _open_header(data, max_megapixels), fixes)
  if not data.startswith(png_files.SIGNATURE):
    return _open_pixels(data, max_megapixels, [])
  data, fixes = png_files.repair(data)
  try:
    return _open_pixels(data, max_megapixels, fixes)
  except DataError:
    raise
  except ValueError:  # Pillow limits the size of texts and color profiles
    data, more_fixes = png_files.remove_texts(data)
    return _open_pixels(data, max_megapixels, fixes + more_fixes)


def _open_header(data: bytes, max_megapixels: float | None) -> ImageFile.ImageFile:
  image = image_formats.open_image(data)
  is_jpeg = data.startswith(jpeg_files.SIGNATURE)
  limit = max_megapixels or (MAX_MEGAPIXELS_JPEG if is_jpeg else MAX_MEGAPIXELS)
  if _megapixels(image) > limit:
    raise DataError(
      f'{image.width} x {image.height} pixels are more than the {limit:g} megapixels allowed: '
      'reduce the image, or convert with a larger --max_megapixels'
    )
  return image


def _open_pixels(data: bytes, max_megapixels: float | None, fixes: list[str]) -> _Opened:
  image = _open_header(data, max_megapixels)
  samples = sample_depth.read(image, data)
  if samples is None:
    image.load()
  return _Opened(data, image, fixes, samples)


def _megapixels(image: Image.Image) -> float:
  return image.width * image.height / 1e6


def _is_huge(image: Image.Image) -> bool:
  """Returns whether an image is decoded at a reduced scale if possible, to need less memory."""
  return _megapixels(image) > MAX_MEGAPIXELS


def _read(
  file: _Opened,
  smaller_side: int | None,
  allow_eighth_scale: bool,
  pixel_range: description.Range | None,
) -> StoredImage:
  data, opened, fixes, samples = file
  with opened:
    found_format = opened.format or ''
    image_format = _KEPT_FORMATS.get(found_format)
    orientation = upright_images.orientation_of(opened)
    new_size = _reduced_size(opened, smaller_side, orientation)
    if image_format == 'jpeg':
      may_be_eighth = not upright_images.is_turned(orientation) and (
        allow_eighth_scale or _is_huge(opened)
      )
      image, changes, is_eighth_scale = _decode_jpeg(data, opened, new_size, may_be_eighth)
      if is_eighth_scale:
        height, width = opened.height, opened.width
        return StoredImage(data, 'jpeg', height, width, tuple(fixes), found_format, image, True)
    else:
      image = opened
      changes = [] if image_format else [f'{found_format} file']
    if found_format != 'MPO' and getattr(opened, 'is_animated', False):
      changes.append('first of several frames')
    if samples:
      pixels, change = sample_depth.to_8_bit(samples, pixel_range)
      image = Image.fromarray(pixels)
      changes.append(change)
    repaired, repairs = upright_images.make_plain(image, orientation)
  changes += repairs
  if new_size:
    repaired = repaired.resize(new_size[::-1], Image.Resampling.BILINEAR)  # antialiased, in Pillow
  if changes or new_size:
    data = _encode(repaired, image_format or 'png')
    if image_format == 'jpeg':  # lossy, so the pixels are those that readers will decode
      repaired = Image.fromarray(jpeg_files.decode(data, repaired.mode))
  return StoredImage(
    data,
    image_format or 'png',
    repaired.height,
    repaired.width,
    (*fixes, *changes),
    found_format,
    repaired,
    largest_unstated=samples and samples.largest_unstated,
  )


def _reduced_size(
  image: Image.Image, smaller_side: int | None, orientation: int | None
) -> tuple[int, int] | None:
  """Returns height and width of an image turned upright and reduced; None if it is not reduced."""
  if smaller_side is None or min(image.size) <= smaller_side:
    return None
  height, width = resized_size((image.height, image.width), smaller_side)
  return (width, height) if upright_images.swaps_sides(orientation) else (height, width)


def _decode_jpeg(
  data: bytes, image: ImageFile.ImageFile, new_size: tuple[int, int] | None, may_be_eighth: bool
) -> _Decoded:
  """Decodes a JPEG file, and checks it to its end.

  Args:
    data: content of the file.
    image: the image, whose header has been read.
    new_size: height and width to which the image will be reduced, if it will be.
    may_be_eighth: whether an image that keeps its bytes may be decoded at an eighth.
  """
  changes = jpeg_files.unusual_coding(data)
  if not jpeg_files.can_check(data, image.mode):
    image.load()
    return _Decoded(image, [*changes, 'unusual JPEG channels'])
  if image.mode == 'CMYK':
    jpeg_files.decode(data, image.mode, (1, 1))
    image.load()  # Pillow knows which CMYK files are inverted
    return _Decoded(image, changes)
  is_eighth_scale = (
    may_be_eighth and not changes and not new_size and min(image.size) >= _SMALLEST_FOR_EIGHTH
  )
  min_size = None
  if is_eighth_scale:
    min_size = (1, 1)
  elif new_size and _is_huge(image):
    min_size = (2 * min(new_size), 2 * min(new_size))  # leaves the filter something to average
  pixels = jpeg_files.decode(data, image.mode, min_size)
  return _Decoded(Image.fromarray(pixels), changes, is_eighth_scale)


def _resize_weights(length: int, new_length: int, resize_filter: str) -> np.ndarray:
  """Returns the weights of the old pixels in each new pixel, float64 [new_length, length]."""
  pitch = length / new_length
  centers = (np.arange(new_length) + 0.5) * pitch - 0.5
  radius = max(1.0, pitch) if resize_filter == description.ANTIALIASED else 1.0
  distances = np.abs(np.arange(length) - centers[:, np.newaxis])
  weights = np.maximum(0, 1 - distances / radius)
  return weights / weights.sum(1, keepdims=True)


def _encode(image: Image.Image, image_format: str, quality: int = _JPEG_QUALITY) -> bytes:
  stream = io.BytesIO()
  options = {'quality': quality, 'subsampling': 0} if image_format == 'jpeg' else {}
  # Metadata that Pillow keeps from the original file, such as its orientation, must not be saved.
  image.info = {}
  image.save(stream, image_format, exif=b'', **options)
  return stream.getvalue()
