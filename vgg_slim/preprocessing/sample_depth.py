"""Images with more than 8 bits per sample: their values, their range, and their 8-bit form.

Which values are black and white is written in the file, given by the user, or shared by all images
of a data set. It is never taken from one image alone, which would make a dark image bright. No
TensorFlow.
"""

import sys
from typing import NamedTuple

import numpy as np
from PIL import ImageFile

from vgg_slim.errors import DataError
from vgg_slim.preprocessing import image_formats, png_files
from vgg_slim.preprocessing.description import Range

FULL_RANGE: Range = (0, 65535)
# Of sensors. The largest value of a data set is rounded up to one of these.
_DEPTHS = (8, 10, 12, 14, 16)
_BITS_PER_SAMPLE = 258  # TIFF tags
_MIN_SAMPLE_VALUES, _MAX_SAMPLE_VALUES = (340, 280), (341, 281)
_GRAY_MODES = ('I', 'F', 'I;16', 'I;16B', 'I;16L', 'I;16N')
_SCALED_BY_PILLOW = ('PPM', 'JPEG2000')  # to 16 bits
_OTHER_ORDER = {'L': 'B', 'B': 'L', 'N': 'B' if sys.byteorder == 'little' else 'L'}


class Samples(NamedTuple):
  """The values of an image as they are in its file.

  Attributes:
    values: integers or floats, [H, W] or [H, W, C]; with 2 or 4 channels the last is alpha.
    bits: number of bits per sample in the file.
    stated: the values that the file says are black and white; None if it says nothing.
  """

  values: np.ndarray
  bits: int
  stated: Range | None

  @property
  def largest_unstated(self) -> int | None:
    """The largest value, if the range is that of the data set or of all 16 bits."""
    is_open = self.stated is None and self.values.dtype == np.uint16
    return int(_colors(self.values).max()) if is_open else None


def range_of_set(largest: int) -> Range | None:
  """Returns the range of a data set by its largest 16-bit value; None for all 16 bits."""
  bits = next(depth for depth in _DEPTHS if largest < 2**depth)
  return None if bits == 16 else (0, 2**bits - 1)


def read(image: ImageFile.ImageFile, data: bytes) -> Samples | None:
  """Reads an image with more than 8 bits per sample.

  Args:
    image: the image, opened but not decoded.
    data: content of its file.

  Returns:
    The values; None for images of 8 bits, and for rare kinds of which Pillow keeps the high bytes.
  """
  bits = _bits(image, data)
  if bits <= 8 or not (image.mode in _GRAY_MODES or _is_deep_color(image)):
    return None
  if image.mode in _GRAY_MODES:
    values = np.asarray(image)
    if image.mode.startswith('I;16'):
      values = values.astype(np.uint16)  # in the byte order of this machine
  else:
    values = _read_color(image, data)
  if 'transparency' in image.info:
    values = _with_color_key(values, image.info['transparency'])
  return Samples(values, bits, _stated_range(image, data, bits, values))


def to_8_bit(samples: Samples, pixel_range: Range | None) -> tuple[np.ndarray, str]:
  """Scales the range to 0..255; integers keep their high bits, as decoders of 16-bit PNG do.

  Args:
    samples: the image.
    pixel_range: values that become 0 and 255 where the file does not state them.

  Returns:
    uint8 values of the same shape, and a description of the change.

  Raises:
    DataError: the range is not known, or there are values that are not numbers.
  """
  values, bits, stated = samples
  is_full = stated is None and pixel_range is None
  if is_full and values.dtype != np.uint16:
    raise DataError(
      f'{bits}-bit values from {values.min():g} to {values.max():g} have no fixed range such as '
      '0..255: convert with --pixel_range'
    )
  low, high = stated or pixel_range or FULL_RANGE
  text = f'{bits} bit' if (low, high) == FULL_RANGE else f'{bits} bit, {low:g}..{high:g}'
  return _scale(values, low, high), text


def _colors(values: np.ndarray) -> np.ndarray:
  """Returns the values without alpha, which fills all 16 bits even beside 12-bit colors."""
  return values[..., :-1] if values.ndim == 3 and values.shape[2] in (2, 4) else values


def _scale(values: np.ndarray, low: float, high: float) -> np.ndarray:
  if values.dtype.kind == 'f':
    if not np.isfinite(values).all():
      raise DataError('some values are not finite numbers: replace them, and save the file again')
    scaled = np.round((values.astype(np.float64) - low) / (high - low) * 255)
  else:
    scaled = np.floor((values.astype(np.float64) - low) * 256 / (high - low + 1))
  return np.clip(scaled, 0, 255).astype(np.uint8)


def _bits(image: ImageFile.ImageFile, data: bytes) -> int:
  if image.format == 'PNG':
    return png_files.bit_depth(data)
  if image.format == 'TIFF':
    return max(image.tag_v2.get(_BITS_PER_SAMPLE, (1,)))  # type: ignore[attr-defined]
  if image.mode.startswith('I;16') or (image.mode == 'I' and image.format in _SCALED_BY_PILLOW):
    return 16
  return 32 if image.mode in ('I', 'F') else 8


def _is_deep_color(image: ImageFile.ImageFile) -> bool:
  return all(_raw_mode(tile).startswith(('RGB;16', 'RGBA;16', 'LA;16')) for tile in image.tile)


def _raw_mode(tile: ImageFile._Tile) -> str:
  return tile.args if isinstance(tile.args, str) else (tile.args or ('',))[0]


def _read_color(image: ImageFile.ImageFile, data: bytes) -> np.ndarray:
  """Returns uint16 [H, W, C]; Pillow keeps one byte of each sample, which its raw mode selects."""
  if _raw_mode(image.tile[0]).startswith('LA'):
    # Four bytes per pixel, as they are: no raw mode gives the low bytes.
    image.tile = [tile._replace(args='RGBA') for tile in image.tile]
    return np.asarray(image).view('>u2').astype(np.uint16)
  low = image_formats.open_image(data)
  low.tile = [_in_other_order(tile) for tile in low.tile]
  return np.asarray(image).astype(np.uint16) << 8 | np.asarray(low)


def _in_other_order(tile: ImageFile._Tile) -> ImageFile._Tile:
  raw_mode = _raw_mode(tile)
  other = raw_mode[:-1] + _OTHER_ORDER[raw_mode[-1]]
  return tile._replace(args=(other, *tile.args[1:]) if isinstance(tile.args, tuple) else other)


def _with_color_key(values: np.ndarray, key: int | tuple[int, ...]) -> np.ndarray:
  """Appends alpha, which is 0 where an image has the one color that is transparent."""
  colors = values.reshape(*values.shape[:2], -1)
  is_transparent = (colors == key).all(axis=2, keepdims=True)
  alpha = np.where(is_transparent, 0, FULL_RANGE[1]).astype(values.dtype)
  return np.concatenate([colors, alpha], axis=2)


def _stated_range(
  image: ImageFile.ImageFile, data: bytes, bits: int, values: np.ndarray
) -> Range | None:
  if image.format in _SCALED_BY_PILLOW and image.mode != 'F':
    return FULL_RANGE
  if image.format == 'PNG':
    significant = png_files.significant_bits(data)
    if significant is None:
      return None
    # By the standard the values fill all 16 bits; some programs write them as the sensor gave them.
    return (0, 2**significant - 1) if _colors(values).max() < 2**significant else FULL_RANGE
  if image.format != 'TIFF':
    return None
  tags = image.tag_v2  # type: ignore[attr-defined]
  low = next((min(tags[tag]) for tag in _MIN_SAMPLE_VALUES if tag in tags), 0)
  high = next((max(tags[tag]) for tag in _MAX_SAMPLE_VALUES if tag in tags), None)
  if high is not None and high > low:
    return float(low), float(high)
  return (0, 2**bits - 1) if 8 < bits < 16 else None
