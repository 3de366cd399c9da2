"""Damage inside containers whose checksums and sizes are made right again afterwards.

Bytes alone that are changed in such files only reach the check of a checksum.
"""

import gzip
import io
import random
import struct
import tarfile
import zipfile
import zlib

from tests.fuzzing.damage import Damage, of_json
from vgg_slim.data import record_framing

_PNG_SIGNATURE = 8  # bytes
_TABLE_FOOTER = 48
_TRAILER = 5  # type of compression and checksum after a block of a table


def in_gzip(damage: Damage) -> Damage:
  """Damages what a gzip file holds."""
  return lambda content, draw: gzip.compress(damage(gzip.decompress(content), draw), 1)


def in_zip(damage: Damage) -> Damage:
  """Damages one member of a zip archive."""

  def damaged(content: bytes, draw: random.Random) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as before, zipfile.ZipFile(buffer, 'w') as after:
      chosen = draw.choice(before.infolist())
      for info in before.infolist():
        data = before.read(info)
        after.writestr(info, damage(data, draw) if info is chosen else data, info.compress_type)
    return buffer.getvalue()

  return damaged


def in_tar(damage: Damage) -> Damage:
  """Damages the headers of a plain tar archive, and corrects their checksums."""

  def damaged(content: bytes, draw: random.Random) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
      offset = draw.choice([member.offset for member in archive])
    end = offset + tarfile.BLOCKSIZE
    header = bytearray(damage(content[offset:end], draw)[: tarfile.BLOCKSIZE])
    header = header.ljust(tarfile.BLOCKSIZE, b'\0')
    header[148:156] = b' ' * 8
    header[148:156] = f'{sum(header):06o}\0 '.encode()
    return content[:offset] + header + content[end:]

  return damaged


def in_records(damage: Damage) -> Damage:
  """Damages one record of a TFRecord file."""

  def damaged(content: bytes, draw: random.Random) -> bytes:
    records, offset = [], 0
    while offset < len(content):
      size = struct.unpack_from('<Q', content, offset)[0]
      records.append(content[offset + 12 : offset + 12 + size])
      offset += size + 16
    chosen = draw.randrange(len(records))
    records[chosen] = damage(records[chosen], draw)
    return b''.join(map(record_framing.frame, records))

  return damaged


def in_png(damage: Damage) -> Damage:
  """Damages one chunk of a PNG file; the pixels after decompression, if it holds pixels."""

  def damaged(content: bytes, draw: random.Random) -> bytes:
    chunks, offset = [], _PNG_SIGNATURE
    while offset < len(content):
      size = int.from_bytes(content[offset : offset + 4], 'big')
      kind = content[offset + 4 : offset + 8]
      chunks.append((kind, content[offset + 8 : offset + 8 + size]))
      offset += size + 12
    chosen = draw.randrange(len(chunks))
    kind, data = chunks[chosen]
    if kind == b'IDAT' and draw.random() < 0.5:
      data = zlib.compress(damage(zlib.decompress(data), draw), 1)
    else:
      data = damage(data, draw)
    chunks[chosen] = (kind, data)
    return content[:_PNG_SIGNATURE] + b''.join(
      struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
      for kind, data in chunks
    )

  return damaged


def in_table(damage: Damage) -> Damage:
  """Damages the first block of the index of a checkpoint, and keeps its size."""

  def damaged(content: bytes, draw: random.Random) -> bytes:
    size = _first_block_size(content)
    block = damage(content[:size], draw)[:size].ljust(size, b'\0')
    checksum = struct.pack('<I', record_framing.masked_crc32c(block + content[size : size + 1]))
    return block + content[size : size + 1] + checksum + content[size + _TRAILER :]

  return damaged


def _first_block_size(content: bytes) -> int:
  """Returns the size of the block at the start of a table, which the next one follows."""
  footer = content[-_TABLE_FOOTER:]
  _, at = _varint(footer, 0)
  _, at = _varint(footer, at)
  index_offset, at = _varint(footer, at)
  # An entry of the index block: shared, unshared and value sizes, key, then offset and size.
  at = index_offset
  _, at = _varint(content, at)
  unshared, at = _varint(content, at)
  _, at = _varint(content, at)
  _, at = _varint(content, at + unshared)
  return _varint(content, at)[0]


def _varint(content: bytes, at: int) -> tuple[int, int]:
  value = shift = 0
  while True:
    value |= (content[at] & 0x7F) << shift
    at, shift = at + 1, shift + 7
    if content[at - 1] < 0x80:
      return value, at


def in_safetensors(content: bytes, draw: random.Random) -> bytes:
  """Damages the JSON header of a safetensors file."""
  size = int.from_bytes(content[:8], 'little')
  header = of_json(content[8 : 8 + size], draw)
  return len(header).to_bytes(8, 'little') + header + content[8 + size :]
