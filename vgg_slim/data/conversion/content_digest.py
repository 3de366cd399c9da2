"""Digests of what images show, whatever file they are stored in. No TensorFlow."""

import hashlib

import numpy as np

from vgg_slim.preprocessing import jpeg_files
from vgg_slim.preprocessing.host import StoredImage

DIGEST_BYTES = 16
_JPEG_FORMATS = ('JPEG', 'MPO')
_APPLICATION = range(0xE0, 0xF0)
_ADOBE = 0xEE  # says how colors are coded
_COMMENT = 0xFE
_END = b'\xff\xd9'


def digest_of(data: bytes | np.ndarray, stored: StoredImage) -> bytes:
  """Returns DIGEST_BYTES that are equal for equal images, and differ for others.

  JPEG files, which are not always decoded at full size, are equal if their compressed data are;
  metadata do not matter. Other files are equal if their pixels are, whatever their format.

  Args:
    data: content of the file, or pixels, uint8 [H, W] or [H, W, 3].
    stored: the same image as it is stored.
  """
  if stored.found_format in _JPEG_FORMATS and not isinstance(data, np.ndarray):
    return _digest(*_without_metadata(data))
  image = stored.image
  if isinstance(image, np.ndarray):
    return _digest(repr(image.shape).encode(), np.ascontiguousarray(image).tobytes())
  shape = (image.height, image.width) + ((3,) if image.mode == 'RGB' else ())
  return _digest(repr(shape).encode(), image.tobytes())


def _without_metadata(data: bytes) -> list[bytes]:
  """Returns the parts of a JPEG file that matter for its pixels."""
  kept, first_scan = [], 0
  for marker, start, end in jpeg_files.segments(data):
    first_scan = end
    if marker != _COMMENT and (marker not in _APPLICATION or marker == _ADOBE):
      kept.append(data[start - 4 : end])
  return [*kept, data[first_scan : data.rfind(_END)]]


def _digest(*parts: bytes) -> bytes:
  digest = hashlib.sha256()
  for part in parts:
    digest.update(part)
  return digest.digest()[:DIGEST_BYTES]
