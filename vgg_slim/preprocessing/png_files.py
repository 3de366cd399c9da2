"""Checks, repairs and writes PNG files. No TensorFlow."""

import struct
import zlib
from collections.abc import Iterator

import numpy as np

from vgg_slim.errors import DataError
from vgg_slim.preprocessing import image_formats

SIGNATURE = b'\x89PNG\r\n\x1a\n'
_BIT_DEPTH_OFFSET = 24
_COLOR_TYPES = {1: 0, 3: 2}  # by the number of channels
# Texts and a color profile: they change no pixel here, and readers limit their size.
_VERBOSE_CHUNKS = (b'tEXt', b'zTXt', b'iTXt', b'iCCP')


def encode(pixels: np.ndarray) -> bytes:
  """Encodes uint8 [H, W] (gray, one channel) or [H, W, 3] (RGB) as PNG.

  Used for the small images of IDX, CIFAR and npz files: at 28x28 pixels it is three times as fast
  as Pillow, whose encoder takes more time to set up than to compress.
  """
  height, width = pixels.shape[:2]
  row_bytes = pixels.size // height
  rows = np.zeros((height, 1 + row_bytes), np.uint8)  # rows start with a filter type, 0: none
  rows[:, 1:] = pixels.reshape(height, row_bytes)
  color_type = _COLOR_TYPES[row_bytes // width]
  header = struct.pack('>IIBBBBB', width, height, 8, color_type, 0, 0, 0)
  return b''.join(
    (
      SIGNATURE,
      _chunk(b'IHDR', header),
      _chunk(b'IDAT', zlib.compress(rows.data)),
      _chunk(b'IEND', b''),
    )
  )


def repair(data: bytes) -> tuple[bytes, list[str]]:
  """Removes damaged chunks that no decoder needs.

  Such chunks are ancillary: their type starts with a small letter, as that of transparency does,
  which is needed. Pillow refuses a file with a damaged one.

  Returns:
    The content of the file, and descriptions of the repairs.

  Raises:
    DataError: a chunk with image data is damaged, or the end is missing. TensorFlow refuses such
      files; Pillow tolerates some of them.
  """
  damaged = []
  for kind, start, end in _chunks(data):
    if zlib.crc32(data[start + 4 : end - 4]) == int.from_bytes(data[end - 4 : end], 'big'):
      continue
    if kind[:1].isupper() or kind == b'tRNS':
      raise DataError(
        f'damaged PNG file: chunk {_text(kind)} has a wrong checksum; {image_formats.GET_AGAIN}'
      )
    damaged.append((kind, start, end))
  fixes = [f'PNG chunk {_text(kind)} with a wrong checksum removed' for kind, *_ in damaged]
  return _without(data, [(start, end) for _, start, end in damaged]), list(dict.fromkeys(fixes))


def remove_texts(data: bytes) -> tuple[bytes, list[str]]:
  """Removes texts and the color profile, which may be too large for Pillow; as `repair`."""
  verbose = [(start, end) for kind, start, end in _chunks(data) if kind in _VERBOSE_CHUNKS]
  return _without(data, verbose), ['large PNG texts or color profile removed'] if verbose else []


def bit_depth(data: bytes) -> int:
  """Returns the number of bits per sample of a PNG file."""
  return data[_BIT_DEPTH_OFFSET]


def significant_bits(data: bytes) -> int | None:
  """Returns the largest number of significant bits of a channel, if an sBIT chunk gives it."""
  for kind, start, end in _chunks(data):
    if kind == b'sBIT':
      return max(data[start + 8 : end - 4], default=None)
    if kind == b'IDAT':
      break
  return None


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
  """Yields type, start and end of each chunk, whose first bytes are its length."""
  start = len(SIGNATURE)
  while start < len(data):
    end = start + 12 + int.from_bytes(data[start : start + 4], 'big')  # length, type, ..., CRC-32
    if end > len(data):
      break
    kind = data[start + 4 : start + 8]
    yield kind, start, end
    if kind == b'IEND':
      return
    start = end
  raise DataError(f'truncated PNG file; {image_formats.GET_AGAIN}')


def _without(data: bytes, parts: list[tuple[int, int]]) -> bytes:
  for start, end in reversed(parts):
    data = data[:start] + data[end:]
  return data


def _text(kind: bytes) -> str:
  return kind.decode('ascii', 'backslashreplace')


def _chunk(kind: bytes, data: bytes) -> bytes:
  checksum = zlib.crc32(data, zlib.crc32(kind))
  return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', checksum)
