"""Reads and writes the records of TFRecord files, with their checksums. No TensorFlow.

A frame is the length of the record (8 bytes, little-endian), the masked CRC-32C of these bytes, the
record, and its masked CRC-32C, as described in TensorFlow's `lib/io/record_writer.h`.
"""

import os
import struct
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

_LENGTH = struct.Struct('<Q')
_CHECKSUM = struct.Struct('<I')
_MASK = 0xA282EAD8
_POLYNOMIAL = 0x82F63B78  # Castagnoli's polynomial, lowest bit first
_START = 0xFFFFFFFF
_LANE = 512  # bytes
_BLOCK = 16  # lanes; their arrays fit in the cache of the processor


def iterate_records(path: str | os.PathLike) -> Iterator[tuple[int, bytes]]:
  """Yields the byte offset of each frame and its record, whose checksum is not verified.

  Raises:
    OSError: the file cannot be read or is not a TFRecord file to its end; the message names it.
  """
  with open(path, 'rb') as stream:
    end = os.fstat(stream.fileno()).st_size
    while (offset := stream.tell()) < end:
      record, _ = _read_frame(stream, path)
      yield offset, record


def read_record(path: str | os.PathLike, offset: int) -> bytes:
  """Reads the record of the frame at `offset`, in bytes.

  Raises:
    OSError: the file cannot be read or a checksum is wrong; the message names it.
  """
  with open(path, 'rb') as stream:
    stream.seek(offset)
    record, checksum = _read_frame(stream, path)
  if masked_crc32c(record) != checksum:
    raise OSError(f'{os.fspath(path)}, byte {offset}: the record is damaged (wrong checksum)')
  return record


def frame(record: bytes) -> bytes:
  """Returns the frame of a record, as written to a file."""
  length = _LENGTH.pack(len(record))
  head, tail = (_CHECKSUM.pack(masked_crc32c(part)) for part in (length, record))
  return b''.join((length, head, record, tail))


def masked_crc32c(data: bytes) -> int:
  """Returns the checksum that frames use: CRC-32C, rotated and offset by a constant."""
  crc = (_state_of_long(data) if len(data) >= _LANE else _state_of_short(data)) ^ _START
  return ((crc >> 15 | crc << 17) + _MASK) & 0xFFFFFFFF


def _read_frame(stream: BinaryIO, path: str | os.PathLike) -> tuple[bytes, int]:
  """Reads a frame; returns its record and the checksum after it."""
  offset = stream.tell()
  head = stream.read(_LENGTH.size + _CHECKSUM.size)
  length, checksum = head[: _LENGTH.size], head[_LENGTH.size :]
  if len(checksum) < _CHECKSUM.size or _CHECKSUM.unpack(checksum)[0] != masked_crc32c(length):
    raise OSError(
      f'{os.fspath(path)}, byte {offset}: not an uncompressed TFRecord file, or damaged'
    )
  size = _LENGTH.unpack(length)[0]
  if size + _CHECKSUM.size > os.fstat(stream.fileno()).st_size - stream.tell():
    raise OSError(f'{os.fspath(path)}, byte {offset}: the file ends inside a record')
  return stream.read(size), _CHECKSUM.unpack(stream.read(_CHECKSUM.size))[0]


def _state_of_short(data: bytes) -> int:
  """Returns the CRC state after all bytes, processed one by one."""
  state = _START
  for byte in data:
    state = _STEP_LIST[(state ^ byte) & 0xFF] ^ state >> 8
  return state


def _state_of_long(data: bytes) -> int:
  """Returns the same as `_state_of_short` for at least four bytes, 40 times as fast.

  The state is linear in the bytes, so the contribution of each byte is looked up by its position in
  a lane, for many lanes at once. Leading zeros do not change a zero state, and the initial state is
  equivalent to inverting the first four bytes.
  """
  padding = -len(data) % _LANE
  padded = np.zeros(padding + len(data), np.uint8)
  padded[padding:] = np.frombuffer(data, np.uint8)
  padded[padding : padding + 4] ^= 0xFF
  lanes = padded.reshape(-1, _LANE)
  indices = np.empty((_BLOCK, _LANE), np.intp)
  contributions = np.empty((_BLOCK, _LANE), np.uint32)
  first, second, third, fourth = _PASS
  state = 0
  for start in range(0, len(lanes), _BLOCK):
    block = lanes[start : start + _BLOCK]
    np.add(block, _POSITION_OFFSETS, out=indices[: len(block)])
    # No index is out of range; with mode='raise' NumPy would buffer the output.
    _POSITIONS.take(indices[: len(block)], out=contributions[: len(block)], mode='wrap')
    for lane in np.bitwise_xor.reduce(contributions[: len(block)], axis=1).tolist():
      state = (
        first[state & 0xFF]
        ^ second[state >> 8 & 0xFF]
        ^ third[state >> 16 & 0xFF]
        ^ fourth[state >> 24]
        ^ lane
      )
  return state


def _step_table() -> np.ndarray:
  """Returns the state after each byte value from a zero state, uint32 [256]."""
  states = np.arange(256, dtype=np.uint32)
  for _ in range(8):
    states = states >> 1 ^ np.where(states & 1, np.uint32(_POLYNOMIAL), np.uint32(0))
  return states


def _pass_zero(states: np.ndarray) -> np.ndarray:
  """Returns the states after one more zero byte."""
  return _STEP[states & 0xFF] ^ states >> 8


def _position_table() -> np.ndarray:
  """Returns the state at the end of a lane for each byte value at each position, uint32 [n].

  The other bytes of the lane, and the state before it, are zero.
  """
  positions = [_STEP]
  for _ in range(_LANE - 1):
    positions.append(_pass_zero(positions[-1]))
  return np.concatenate(positions[::-1])


def _pass_tables() -> list[list[int]]:
  """Returns the states after a lane of zeros, for each byte of the state before it, lowest first.

  Each list holds one state for each of the 256 values of the byte.
  """
  states = np.arange(256, dtype=np.uint32) << np.array([[0], [8], [16], [24]], np.uint32)
  for _ in range(_LANE):
    states = _pass_zero(states)
  return states.tolist()


_STEP = _step_table()
_STEP_LIST = _STEP.tolist()
_POSITIONS = _position_table()
_POSITION_OFFSETS = 256 * np.arange(_LANE)
_PASS = _pass_tables()
