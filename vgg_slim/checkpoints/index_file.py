"""Checks the index of a checkpoint before TensorFlow reads it. No TensorFlow.

TensorFlow ends the process, without an error that Python could catch, on an entry that it cannot
parse. A checksum keeps such entries out of files that were damaged by accident, but not out of
those that were made.

The index is a table of LevelDB: blocks of sorted keys with their values, an index of the blocks,
and a footer. A key is the name of a variable, and its value a `BundleEntryProto`
(tensorflow/core/protobuf/tensor_bundle.proto); the empty key has a `BundleHeaderProto`.
"""

import math
import pathlib
import struct
from collections.abc import Iterator
from typing import Any

_FOOTER_BYTES = 48
MAGIC = bytes.fromhex('57fb808b247547db')
_UNCOMPRESSED = 0
_LENGTH_BYTES = {1: 8, 5: 4}  # of wire types with a fixed length
_DTYPE, _SHAPE, _SIZE, _SLICES, _DIMENSION, _LENGTH = 1, 2, 5, 7, 2, 1  # numbers of fields
_SLICE_KEY = b'\0'  # begins the keys of the parts of a partitioned variable
_STRING = 7  # of DataType
_MOST_TYPES, _REFERENCE = 40, 100  # a type plus 100 is a reference to it
_LARGEST = 2**63 - 1


def find_damage(path: pathlib.Path) -> str | None:
  """Returns why TensorFlow must not read the index at `path`, or None if it may.

  Checksums are left to TensorFlow.
  """
  try:
    content = path.read_bytes()
    for key, value in _entries(content):
      _check_entry(key, value)
  except OSError as error:
    return error.strerror or str(error)
  except (IndexError, struct.error, UnicodeDecodeError):
    return 'it is damaged'
  except ValueError as error:
    return str(error)
  return None


def _entries(content: bytes) -> Iterator[tuple[bytes, bytes]]:
  """Yields the entries of all blocks; those of compressed blocks are left to TensorFlow."""
  if len(content) < _FOOTER_BYTES or content[-len(MAGIC) :] != MAGIC:
    raise ValueError('it is not a table')
  footer = content[-_FOOTER_BYTES:]
  at = 0
  for _ in range(2):  # offset and size of a block that is always empty
    _, at = _varint(footer, at)
  for _, handle in _block(content, footer[at:]):
    yield from _block(content, handle)


def _block(content: bytes, handle: bytes) -> Iterator[tuple[bytes, bytes]]:
  """Yields the entries of the block whose offset and size `handle` begins with."""
  offset, at = _varint(handle, 0)
  size, _ = _varint(handle, at)
  end = offset + size
  if end >= len(content):
    raise ValueError('it is cut off')
  if content[end] != _UNCOMPRESSED:
    return
  restarts = struct.unpack_from('<I', content, end - 4)[0]
  end -= 4 * (restarts + 1)
  at, key = offset, b''
  if end < offset:
    raise ValueError('it is damaged')
  while at < end:
    shared, at = _varint(content, at)
    unshared, at = _varint(content, at)
    value_size, at = _varint(content, at)
    if shared > len(key) or at + unshared + value_size > end:
      raise ValueError('it is damaged')
    key = key[:shared] + content[at : at + unshared]
    at += unshared
    yield key, content[at : at + value_size]
    at += value_size


def _check_entry(key: bytes, value: bytes) -> None:
  entry: dict[int, Any] = dict(_fields(value))
  if not key or key.startswith(_SLICE_KEY):
    return
  name = key.decode()
  kind = entry.get(_DTYPE, 0)
  if not isinstance(kind, int) or not 0 < kind % _REFERENCE <= _MOST_TYPES or kind > 2 * _REFERENCE:
    raise ValueError(f'{name} has the unknown type {kind}')
  sizes: list[Any] = []
  shape = entry.get(_SHAPE, b'')
  for number, dimension in _fields(shape if isinstance(shape, bytes) else b'\xff'):
    if number == _DIMENSION:
      lengths = dict(_fields(dimension if isinstance(dimension, bytes) else b'\xff'))
      sizes.append(lengths.get(_LENGTH, 0))
  if not all(isinstance(size, int) and size <= _LARGEST for size in sizes):
    raise ValueError(f'{name} has a shape that cannot be')
  stored = entry.get(_SIZE, 0)
  is_here = kind % _REFERENCE != _STRING and _SLICES not in entry
  if not isinstance(stored, int) or (is_here and math.prod(sizes) > 8 * stored):
    raise ValueError(f'{name} declares {sizes} values and does not hold them')


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
  """Yields number and value of each field of a protocol buffer message."""
  at = 0
  while at < len(message):
    tag, at = _varint(message, at)
    number, wire_type = tag >> 3, tag & 7
    if wire_type == 0:
      value, at = _varint(message, at)
      yield number, value
      continue
    size = _LENGTH_BYTES.get(wire_type)
    if wire_type == 2:
      size, at = _varint(message, at)
    if size is None or at + size > len(message) or not number:
      raise ValueError('it is damaged')
    yield number, message[at : at + size]
    at += size


def _varint(content: bytes, at: int) -> tuple[int, int]:
  value = 0
  for shift in range(0, 70, 7):
    byte = content[at]
    at += 1
    value |= (byte & 0x7F) << shift
    if byte < 0x80:
      return value, at
  raise ValueError('it is damaged')
