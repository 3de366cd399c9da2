"""Records of a TFRecord file, with their checksums. No TensorFlow.

A frame is the length of the record (8 bytes, lowest first), the masked CRC-32C of these, the
record, and its masked CRC-32C, as TensorFlow's `lib/io/record_writer.h` describes it.
"""

import os
import struct
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

_LENGTH = struct.Struct('<Q')
_CHECKSUM = struct.Struct('<I')
_MASK = 0xA282EAD8
_POLYNOMIAL = 0x82F63B78  # Castagnoli's, lowest bit first
_START = 0xFFFFFFFF
_LANE = 512  # bytes
_BLOCK = 16  # lanes, whose arrays stay in the processor's cache


def iterate_records(path: str | os.PathLike) -> Iterator[tuple[int, bytes]]:
  """Yields the place of each frame, in bytes, and its record, whose checksum is not looked at.

  Raises:
    OSError: the file cannot be read, or is no TFRecord file to its end; names it.
  """
  with open(path, 'rb') as stream:
    end = os.fstat(stream.fileno()).st_size
    while (place := stream.tell()) < end:
      record, _ = _read_frame(stream, path)
      yield place, record


def read_record(path: str | os.PathLike, place: int) -> bytes:
  """Reads the record of the frame at `place`, in bytes.

  Raises:
    OSError: the file cannot be read, or a checksum is wrong; names it.
  """
  with open(path, 'rb') as stream:
    stream.seek(place)
    record, checksum = _read_frame(stream, path)
  if masked_crc32c(record) != checksum:
    raise OSError(f'{os.fspath(path)}, byte {place}: the checksum says that a record is damaged')
  return record


def frame(record: bytes) -> bytes:
  """The frame of a record, as it stands in the file."""
  length = _LENGTH.pack(len(record))
  head, tail = (_CHECKSUM.pack(masked_crc32c(part)) for part in (length, record))
  return b''.join((length, head, record, tail))


def masked_crc32c(data: bytes) -> int:
  """The checksum of a frame: CRC-32C, rotated and shifted."""
  crc = (_state_of_long(data) if len(data) >= _LANE else _state_of_short(data)) ^ _START
  return ((crc >> 15 | crc << 17) + _MASK) & 0xFFFFFFFF


def _read_frame(stream: BinaryIO, path: str | os.PathLike) -> tuple[bytes, int]:
  """Record and the checksum that stands behind it."""
  place = stream.tell()
  head = stream.read(_LENGTH.size + _CHECKSUM.size)
  length, checksum = head[: _LENGTH.size], head[_LENGTH.size :]
  if len(checksum) < _CHECKSUM.size or _CHECKSUM.unpack(checksum)[0] != masked_crc32c(length):
    raise OSError(
      f'{os.fspath(path)}, byte {place}: no uncompressed TFRecord file, or a damaged one'
    )
  size = _LENGTH.unpack(length)[0]
  if size + _CHECKSUM.size > os.fstat(stream.fileno()).st_size - stream.tell():
    raise OSError(f'{os.fspath(path)}, byte {place}: the file ends within a record')
  return stream.read(size), _CHECKSUM.unpack(stream.read(_CHECKSUM.size))[0]


def _state_of_short(data: bytes) -> int:
  """State after all bytes, one after another."""
  state = _START
  for byte in data:
    state = _STEP_LIST[(state ^ byte) & 0xFF] ^ state >> 8
  return state


def _state_of_long(data: bytes) -> int:
  """The same for at least four bytes, 40 times as fast.

  A state is linear in the bytes, so that each is looked up by its place in a lane, many lanes at
  once. Zeros in front of the data change no empty state, and the start is one with its first bytes.
  """
  padding = -len(data) % _LANE
  padded = np.zeros(padding + len(data), np.uint8)
  padded[padding:] = np.frombuffer(data, np.uint8)
  padded[padding : padding + 4] ^= 0xFF
  lanes = padded.reshape(-1, _LANE)
  places = np.empty((_BLOCK, _LANE), np.intp)
  found = np.empty((_BLOCK, _LANE), np.uint32)
  first, second, third, fourth = _PASS
  state = 0
  for start in range(0, len(lanes), _BLOCK):
    block = lanes[start : start + _BLOCK]
    np.add(block, _PLACE_OFFSETS, out=places[: len(block)])
    # All places are in the table; with mode='raise' NumPy would copy what it has found.
    _PLACES.take(places[: len(block)], out=found[: len(block)], mode='wrap')
    for lane in np.bitwise_xor.reduce(found[: len(block)], axis=1).tolist():
      state = (
        first[state & 0xFF]
        ^ second[state >> 8 & 0xFF]
        ^ third[state >> 16 & 0xFF]
        ^ fourth[state >> 24]
        ^ lane
      )
  return state


def _step_table() -> np.ndarray:
  """What a byte makes of an empty state, uint32 [256]."""
  states = np.arange(256, dtype=np.uint32)
  for _ in range(8):
    states = states >> 1 ^ np.where(states & 1, np.uint32(_POLYNOMIAL), np.uint32(0))
  return states


def _pass_zero(states: np.ndarray) -> np.ndarray:
  """States after one more byte, zero."""
  return _STEP[states & 0xFF] ^ states >> 8


def _place_table() -> np.ndarray:
  """What a byte at each place of a lane makes of an empty state to the lane's end, uint32 [n]."""
  places = [_STEP]
  for _ in range(_LANE - 1):
    places.append(_pass_zero(places[-1]))
  return np.concatenate(places[::-1])


def _pass_tables() -> list[list[int]]:
  """For each byte of a state, lowest first: what a lane of zeros makes of its 256 values."""
  states = np.arange(256, dtype=np.uint32) << np.array([[0], [8], [16], [24]], np.uint32)
  for _ in range(_LANE):
    states = _pass_zero(states)
  return states.tolist()


_STEP = _step_table()
_STEP_LIST = _STEP.tolist()
_PLACES = _place_table()
_PLACE_OFFSETS = 256 * np.arange(_LANE)
_PASS = _pass_tables()
