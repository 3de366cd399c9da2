"""tf.train.Example on the wire: the only home of the feature keys, which are slim's.

Worker processes of the converter encode without TensorFlow, whose import costs each of them
seconds and hundreds of megabytes. Format: protocol buffers' encoding, fields of `example.proto`.
"""

import functools
from collections.abc import Iterator

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
    encoded: the picture's file, untouched.
    image_format: 'jpeg' or 'png'.
    filename: the picture's name in the source; bytes that are not UTF-8 become escapes.
    label: 0 .. num_classes - 1.
    class_name: text of the label.
    height: in pixels, as is `width`.
    width: see `height`.
  """
  # A protobuf map has no order of its own; sorted is what TensorFlow's deterministic mode writes.
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


def decode_example(serialized: bytes) -> dict[str, list[bytes] | list[int]]:
  """The features of a serialized tf.train.Example by key; of those of floats, an empty list.

  Raises:
    ValueError: it is no Example.
  """
  features = {}
  for entries in _messages(serialized):
    for entry in _messages(entries):
      parts = dict(_fields(entry))
      features[_as_message(parts.get(1, b'')).decode()] = _values(parts.get(2, b''))
  return features


def _entry(key: str, value: bytes | int) -> bytes:
  """One entry of the map: key and Feature."""
  if isinstance(value, bytes):
    feature = _field(_BYTES_LIST, _field(1, value))
  else:
    feature = _field(_INT64_LIST, _field(1, _varint(value)))
  return _field(1, _field(1, key.encode()) + _field(2, feature))


# Five of the seven are the same in many examples: 5.5 us an example in place of 14.
_repeated_entry = functools.lru_cache(maxsize=4096)(_entry)


def _field(number: int, payload: bytes) -> bytes:
  return bytes((number << 3 | _LENGTH_DELIMITED,)) + _varint(len(payload)) + payload


def _varint(value: int) -> bytes:
  """Seven bits a byte, lowest first; the top bit says that more follow. `value` is at least 0."""
  groups = bytearray()
  while value > 0x7F:
    groups.append(value & 0x7F | 0x80)
    value >>= 7
  groups.append(value)
  return bytes(groups)


def _values(feature: bytes | int) -> list[bytes] | list[int]:
  values = []
  for kind, container in _fields(_as_message(feature)):
    if kind == _BYTES_LIST:
      values += _messages(_as_message(container))
    elif kind == _INT64_LIST:
      for _, value in _fields(_as_message(container)):
        # Packed by most writers, one by one by some.
        values += [value] if isinstance(value, int) else _read_varints(value)
  return values


def _messages(message: bytes) -> Iterator[bytes]:
  """The content of fields that are messages or bytes."""
  return (_as_message(content) for _, content in _fields(message))


def _as_message(content: bytes | int) -> bytes:
  if isinstance(content, int):
    raise ValueError('no tf.train.Example: a number where a message is expected')
  return content


def _fields(message: bytes) -> Iterator[tuple[int, bytes | int]]:
  """Number and content of each field of a message."""
  place = 0
  while place < len(message):
    tag, place = _read_varint(message, place)
    content, place = _read_varint(message, place)
    if tag & 7 == _LENGTH_DELIMITED:
      size = content
      content, place = message[place : place + size], place + size
      if not 0 <= size == len(content):
        raise ValueError('no tf.train.Example: a field goes beyond its message')
    elif tag & 7 != _VARINT:
      raise ValueError(f'no tf.train.Example: a field of wire type {tag & 7}')
    yield tag >> 3, content


def _read_varints(packed: bytes) -> list[int]:
  values, place = [], 0
  while place < len(packed):
    value, place = _read_varint(packed, place)
    values.append(value)
  return values


def _read_varint(message: bytes, place: int) -> tuple[int, int]:
  """An int64 and the place behind it."""
  value = shift = 0
  while place < len(message) and shift < 64:
    byte = message[place]
    value |= (byte & 0x7F) << shift
    place, shift = place + 1, shift + 7
    if byte < 0x80:
      return (value + (1 << 63)) % (1 << 64) - (1 << 63), place
  raise ValueError('no tf.train.Example: a number does not end')
