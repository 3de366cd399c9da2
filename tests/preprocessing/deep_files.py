"""Image files with more than 8 bits per sample, which Pillow cannot write."""

import struct
import zlib

import numpy as np

_COLOR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # of PNG, by the number of channels
# First row and column, and distances of rows and columns, of the seven passes of an interlaced PNG.
PASSES = (
  (0, 0, 8, 8),
  (0, 4, 8, 8),
  (4, 0, 8, 4),
  (0, 2, 4, 4),
  (2, 0, 4, 2),
  (0, 1, 2, 2),
  (1, 0, 2, 1),
)


def png(values, sbit=(), extra=(), interlaced=False, pixels=None):
  """Encodes samples as PNG of 16 bits.

  Args:
    values: samples, uint16 [H, W] or [H, W, C].
    sbit: significant bits of each channel, for an sBIT chunk.
    extra: types and contents of chunks before the pixels.
    interlaced: whether the file is interlaced.
    pixels: content of the IDAT chunk, instead of the samples.
  """
  height, width = values.shape[:2]
  samples = values.reshape(height, width, -1).astype('>u2')
  color_type = _COLOR_TYPES[samples.shape[2]]
  header = struct.pack('>IIBBBBB', width, height, 16, color_type, 0, 0, interlaced)
  parts = [samples]
  if interlaced:
    parts = [samples[top::down, left::right] for top, left, down, right in PASSES]
  rows = b''.join(_filtered(row) for part in parts if part.size for row in part)
  chunks = [(b'IHDR', header), *extra, (b'IDAT', pixels or zlib.compress(rows)), (b'IEND', b'')]
  if sbit:
    chunks.insert(1, (b'sBIT', bytes(sbit)))
  return b'\x89PNG\r\n\x1a\n' + b''.join(
    struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
    for kind, data in chunks
  )


def _filtered(row):
  """Applies filter 1, the difference to the pixel before, which depends on the bytes per pixel."""
  data = np.frombuffer(row.tobytes(), np.uint8)
  before = np.concatenate([np.zeros(2 * row.shape[1], np.uint8), data])[: len(data)]
  return b'\1' + (data - before).tobytes()


def tiff(values, order='<', is_compressed=False, bits=16, data=None):
  """Encodes uint16 [H, W], [H, W, 3] or [H, W, 4] as TIFF; `data` replaces the encoded samples."""
  height, width = values.shape[:2]
  channels = 1 if values.ndim == 2 else values.shape[2]
  data = values.astype(order + 'u2').tobytes() if data is None else data
  data = zlib.compress(data) if is_compressed else data
  entries = {
    256: ('I', [width]),
    257: ('I', [height]),
    258: ('H', [bits] * channels),
    259: ('H', [8 if is_compressed else 1]),
    262: ('H', [2 if channels > 1 else 1]),
    273: ('I', [0]),  # the offset of the samples
    277: ('H', [channels]),
    278: ('I', [height]),
    279: ('I', [len(data)]),
  }
  if channels == 4:
    entries[338] = ('H', [2])
  directory_size = 2 + 12 * len(entries) + 4
  long_values = {
    tag: struct.pack(f'{order}{len(items)}{kind}', *items)
    for tag, (kind, items) in entries.items()
    if len(items) * struct.calcsize(kind) > 4
  }
  offset = 8 + directory_size
  entries[273] = ('I', [offset + sum(map(len, long_values.values()))])
  directory = struct.pack(order + 'H', len(entries))
  for tag, (kind, items) in sorted(entries.items()):
    directory += struct.pack(order + 'HHI', tag, {'H': 3, 'I': 4}[kind], len(items))
    if tag in long_values:
      directory += struct.pack(order + 'I', offset)
      offset += len(long_values[tag])
    else:
      directory += struct.pack(f'{order}{len(items)}{kind}', *items).ljust(4, b'\0')
  start = (b'II*\0' if order == '<' else b'MM\0*') + struct.pack(order + 'I', 8)
  return start + directory + bytes(4) + b''.join(long_values.values()) + data


def tiff_12_bit(values):
  """Encodes uint16 [H, W] of at most 4095 as TIFF with two samples in three bytes."""
  rows = []
  for row in values.astype(int).tolist():
    bits = ''.join(f'{value:012b}' for value in row)
    bits += '0' * (-len(bits) % 8)
    rows.append(int(bits, 2).to_bytes(len(bits) // 8, 'big'))
  return tiff(values, bits=12, data=b''.join(rows))
