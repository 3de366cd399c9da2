"""Decodes JPEG files, and refuses those that libjpeg warns of. No TensorFlow.

Pillow discards libjpeg's warnings, and TensorFlow prints them without the name of the file.
"""

import re
from collections.abc import Iterator

import numpy as np
import simplejpeg

from vgg_slim.errors import DataError
from vgg_slim.preprocessing import image_formats

# Pillow's mode -> the name of the same channels in simplejpeg.
_COLOR_SPACES = {'L': 'GRAY', 'RGB': 'RGB', 'CMYK': 'CMYK'}
_APP0, _START_OF_SCAN = 0xE0, 0xDA
_HUFFMAN_FRAMES = (0xC0, 0xC1, 0xC2)  # baseline, extended sequential, progressive
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # those three are no frame headers
_JFIF = b'JFIF\0'
SIGNATURE = b'\xff\xd8\xff'


def decode(data: bytes, mode: str, min_size: tuple[int, int] | None = None) -> np.ndarray:
  """Decodes a whole JPEG file; pixels are the same as Pillow's and TensorFlow's.

  Args:
    data: content of the file.
    mode: Pillow's mode of the image: 'L', 'RGB' or 'CMYK'.
    min_size: height and width in pixels; the image is decoded at the smallest scale, down to an
      eighth, that gives at least this size. None decodes it at full size. The file is read to its
      end at every scale.

  Returns:
    uint8 [H, W] for mode 'L', otherwise [H, W, C].

  Raises:
    DataError: libjpeg fails, or warns of damage.
  """
  height, width = min_size or (0, 0)
  factor = 2 if min_size else 1  # scales between 1/2 and 1 take more time than they save
  try:
    pixels = simplejpeg.decode_jpeg(
      data, _COLOR_SPACES[mode], min_height=height, min_width=width, min_factor=factor, strict=True
    )
  except ValueError as error:
    raise DataError(
      f'damaged JPEG file: {_generalize(str(error))}; {image_formats.GET_AGAIN}'
    ) from error
  return pixels[..., 0] if mode == 'L' else pixels


def can_check(data: bytes, mode: str) -> bool:
  """Returns whether `decode` takes the image: its mode and its chroma subsampling are usual."""
  if mode not in _COLOR_SPACES:
    return False
  try:
    simplejpeg.decode_jpeg_header(data)
  except ValueError as error:
    return 'subsampling' not in str(error)
  return True


def repair_header(data: bytes) -> tuple[bytes, list[str]]:
  """Corrects a version in the header of which libjpeg would warn at every reading.

  Returns:
    The content of the file, and descriptions of the repairs.
  """
  for marker, start, _ in segments(data):
    major, minor = data[start + 5 : start + 7].ljust(2, b'\1')
    if marker == _APP0 and data[start : start + 5] == _JFIF and major != 1:
      repaired = data[: start + 5] + b'\1\1' + data[start + 7 :]
      return repaired, [f'unknown JFIF version {major}.{minor:02}']
  return data, []


def unusual_coding(data: bytes) -> list[str]:
  """Describes a coding that Pillow reads and TensorFlow does not; empty for usual files."""
  frame = next((marker for marker, _, _ in segments(data) if marker in _FRAMES), None)
  return [] if frame is None or frame in _HUFFMAN_FRAMES else ['unusual JPEG coding']


def segments(data: bytes) -> Iterator[tuple[int, int, int]]:
  """Yields marker, start and end of the content of each segment before the first scan."""
  at = 2
  while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != _START_OF_SCAN:
    if data[at + 1] == 0xFF:  # padding
      at += 1
      continue
    end = at + 2 + int.from_bytes(data[at + 2 : at + 4], 'big')
    yield data[at + 1], at + 4, end
    at = end


def _generalize(reason: str) -> str:
  """Returns libjpeg's message without what differs from file to file, so that reasons group."""
  reason = reason.removeprefix('Corrupt JPEG data: ').removeprefix('Warning: ')
  return re.sub(r'( type)? 0x[0-9a-f]+| Ss=.*| for component.*|\d+ (?=extraneous)|\d', '', reason)
