"""Digests of what images show, whatever file they are stored in. No TensorFlow."""

import hashlib

import numpy as np

from vgg_slim.preprocessing.host import SMALLEST_FOR_EIGHTH, StoredImage

DIGEST_BYTES = 16
_JPEG_FORMATS = ('JPEG', 'MPO')
_START_OF_SCAN = 0xDA
_END = b'\xff\xd9'
_APPLICATION = range(0xE0, 0xF0)
_ADOBE = 0xEE  # says how colors are coded
_COMMENT = 0xFE


def digest_of(data: bytes | np.ndarray, stored: StoredImage) -> bytes:
  """Returns DIGEST_BYTES that are equal for equal images, and differ for others.

  Small images, and those of lossless formats, are equal if their pixels are, whatever their format.
  Larger JPEG files, which are decoded at different scales, are equal if their compressed data are;
  metadata do not matter.

  Args:
    data: content of the file, or pixels, uint8 [H, W] or [H, W, 3].
    stored: the same image as it is stored.
  """
  is_large = min(stored.height, stored.width) >= SMALLEST_FOR_EIGHTH
  if stored.found_format in _JPEG_FORMATS and is_large and not isinstance(data, np.ndarray):
    return _digest(_without_metadata(data))
  image = stored.image
  if isinstance(image, np.ndarray):
    shape, pixels = image.shape, np.ascontiguousarray(image).tobytes()
  else:
    shape = (image.height, image.width) + ((3,) if image.mode == 'RGB' else ())
    pixels = image.tobytes()
  return _digest(repr(shape).encode() + pixels)


def _without_metadata(data: bytes) -> bytes:
  """Returns the segments of a JPEG file that matter for its pixels."""
  kept = []
  start = 2
  while start + 4 <= len(data) and data[start] == 0xFF:
    marker = data[start + 1]
    if marker == _START_OF_SCAN:
      end = data.find(_END, start)
      kept.append(data[start : end if end >= 0 else len(data)])
      break
    end = start + 2 + int.from_bytes(data[start + 2 : start + 4], 'big')
    if marker != _COMMENT and (marker not in _APPLICATION or marker == _ADOBE):
      kept.append(data[start:end])
    start = end
  return b''.join(kept) or data


def _digest(data: bytes) -> bytes:
  return hashlib.sha256(data).digest()[:DIGEST_BYTES]
