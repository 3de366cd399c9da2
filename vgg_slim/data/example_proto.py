"""Encodes and decodes tf.train.Example without TensorFlow; defines the feature keys, those of slim.

Importing TensorFlow would cost each worker process of a conversion seconds and hundreds of
megabytes. The format is the wire encoding of protocol buffers with the fields of `example.proto`.
"""

import functools
from collections.abc import Iterator
from typing import Any

ENCODED = 'image/encoded'
FORMAT = 'image/format'
FILENAME = 'image/filename'
LABEL = 'image/class/label'
TEXT = 'image/class/text'
HEIGHT = 'image/height'
WIDTH = 'image/width'

_VARINT = 0
_LENGTH_DELIMITED = 2
_BYTES_LIST = 1
_INT64_LIST = 3


def encode_example(
  *,
  encoded: bytes,
  image_format: str,
  filename: str,
  label: int,
  class_name: str,
  height: int,
  width: int,
) -> bytes:
  """Returns a serialized tf.train.Example; equal arguments give equal bytes.

  Args:
    encoded: content of the image file.
    image_format: 'jpeg' or 'png'.
    filename: name of the image in the source; bytes that are not UTF-8 become escapes.
    label: index of the class, 0 .. num_classes - 1.
    class_name: name of the class.
    height: height of the image in pixels.
    width: width of the image in pixels.
  """
  # A protobuf map is unordered; TensorFlow sorts the keys when it serializes deterministically.
  entries = (
    _repeated_entry(LABEL, label),
    _repeated_entry(TEXT, class_name.encode()),
    _entry(ENCODED, encoded),
    _entry(FILENAME, filename.encode('utf-8', errors='backslashreplace')),
    _repeated_entry(FORMAT, image_format.encode()),
    _repeated_entry(HEIGHT, height),
    _repeated_entry(WIDTH, width),
  )
  return _field(1, b''.join(entries))


def decode_example(serialized: bytes) -> dict[str, list[Any]]:
  """Returns the features of a serialized tf.train.Example by key; float features become [].

  Raises:
    ValueError: `serialized` is not a tf.train.Example.
  """
  features = {}
  for entries in _messages(serialized):
    for entry in _messages(entries):
      parts = dict(_fields(entry))
      features[_as_message(parts.get(1, b'')).decode()] = _values(parts.get(2, b''))
  return features


def _entry(key: str, value: bytes | int) -> bytes:
  """Encodes one entry of the feature map: key and Feature."""
  if isinstance(value, bytes):
    feature = _field(_BYTES_LIST, _field(1, value))
  else:
    feature = _field(_INT64_LIST, _field(1, _varint(value)))
  return _field(1, _field(1, key.encode()) + _field(2, feature))


# Five of the seven entries recur in many examples: 5.5 us per example instead of 14.
_repeated_entry = functools.lru_cache(maxsize=4096)(_entry)


def _field(number: int, payload: bytes) -> bytes:
  return bytes((number << 3 | _LENGTH_DELIMITED,)) + _varint(len(payload)) + payload


def _varint(value: int) -> bytes:
  """Encodes `value` >= 0, seven bits per byte, lowest first; the top bit says that more follow."""
  groups = bytearray()
  while value > 0x7F:
    groups.append(value & 0x7F | 0x80)
    value >>= 7
  groups.append(value)
  return bytes(groups)


def _values(feature: bytes | int) -> list[Any]:
  values: list[Any] = []
  for kind, container in _fields(_as_message(feature)):
    if kind == _BYTES_LIST:
      values += _messages(_as_message(container))
    elif kind == _INT64_LIST:
      for _, value in _fields(_as_message(container)):
        # Most writers pack the numbers into one field; some write a field per number.
        values += [value] if isinstance(value, int) else _read_varints(value)
  return values


def _messages(message: bytes) -> Iterator[bytes]:
  """Yields the content of every field; all must be messages or bytes."""
  return (_as_message(content) for _, content in _fields(message))


def _as_message(content: bytes | int) -> bytes:
  if isinstance(content, int):
    raise ValueError('not a tf.train.Example: a number where a message is expected')
  return content


def _fields(message: bytes) -> Iterator[tuple[int, bytes | int]]:
  """Yields number and content of each field of a message."""
  offset = 0
  while offset < len(message):
    tag, offset = _read_varint(message, offset)
    number, offset = _read_varint(message, offset)  # the value, or the size of a message
    if tag & 7 == _LENGTH_DELIMITED:
      content, offset = message[offset : offset + number], offset + number
      if not 0 <= number == len(content):
        raise ValueError('not a tf.train.Example: a field extends beyond its message')
      yield tag >> 3, content
    elif tag & 7 == _VARINT:
      yield tag >> 3, number
    else:
      raise ValueError(f'not a tf.train.Example: a field of wire type {tag & 7}')


def _read_varints(packed: bytes) -> list[int]:
  values, offset = [], 0
  while offset < len(packed):
    value, offset = _read_varint(packed, offset)
    values.append(value)
  return values


def _read_varint(message: bytes, offset: int) -> tuple[int, int]:
  """Returns the int64 at `offset` and the offset after it."""
  value = shift = 0
  while offset < len(message) and shift < 64:
    byte = message[offset]
    value |= (byte & 0x7F) << shift
    offset, shift = offset + 1, shift + 7
    if byte < 0x80:
      return (value + (1 << 63)) % (1 << 64) - (1 << 63), offset
  raise ValueError('not a tf.train.Example: a number does not end')
