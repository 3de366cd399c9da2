"""tf.train.Example on the wire: the only home of the feature keys, which are slim's.

Worker processes of the converter encode without TensorFlow, whose import costs each of them
seconds and hundreds of megabytes. Format: protocol buffers' encoding, fields of `example.proto`.
"""

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
  features = {
    ENCODED: _bytes_feature(encoded),
    FORMAT: _bytes_feature(image_format.encode()),
    FILENAME: _bytes_feature(filename.encode('utf-8', errors='backslashreplace')),
    LABEL: _int_feature(label),
    TEXT: _bytes_feature(class_name.encode()),
    HEIGHT: _int_feature(height),
    WIDTH: _int_feature(width),
  }
  # A protobuf map has no order of its own; sorted is what TensorFlow's deterministic mode writes.
  entries = (
    _field(1, _field(1, key.encode()) + _field(2, feature))
    for key, feature in sorted(features.items())
  )
  return _field(1, b''.join(entries))


def _bytes_feature(value: bytes) -> bytes:
  return _field(_BYTES_LIST, _field(1, value))


def _int_feature(value: int) -> bytes:
  return _field(_INT64_LIST, _field(1, _varint(value)))


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
