"""tf.train.Example on the wire: the only home of the feature keys, which are slim's.

Worker processes of the converter encode without TensorFlow, whose import costs each of them
seconds and hundreds of megabytes. Format: protocol buffers' encoding, fields of `example.proto`.
"""

import functools

ENCODED = 'image/encoded'
FORMAT = 'image/format'
FILENAME = 'image/filename'
LABEL = 'image/class/label'
TEXT = 'image/class/text'
HEIGHT = 'image/height'
WIDTH = 'image/width'

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
