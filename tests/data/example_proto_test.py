import pytest

from vgg_slim.compat import tf
from vgg_slim.data import example_proto

VALUES = {
  'image/encoded': b'bytes',
  'image/format': b'png',
  'image/filename': b'cat/2.png',
  'image/class/label': 2,
  'image/class/text': b'cat',
  'image/height': 5,
  'image/width': 7,
}


def encode(**changes):
  arguments = {
    'encoded': b'bytes',
    'image_format': 'png',
    'filename': 'cat/2.png',
    'label': 2,
    'class_name': 'cat',
    'height': 5,
    'width': 7,
  }
  return example_proto.encode_example(**{**arguments, **changes})


def by_protobuf(values):
  def feature(value):
    if isinstance(value, bytes):
      return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))

  features = tf.train.Features(feature={key: feature(value) for key, value in values.items()})
  return tf.train.Example(features=features).SerializeToString(deterministic=True)


def test_keys_are_those_of_slim():
  features = tf.train.Example.FromString(encode()).features.feature
  assert {
    key: (value.bytes_list.value or value.int64_list.value)[0] for key, value in features.items()
  } == VALUES


# Lengths and numbers around those at which a varint grows by a byte.
@pytest.mark.parametrize('size', [0, 1, 90, 127, 128, 16_383, 16_384, 3_000_000])
def test_bytes_equal_those_of_protobuf(size):
  changes = {'image/encoded': b'x' * size, 'image/height': size, 'image/class/label': size}
  got = encode(encoded=b'x' * size, height=size, label=size)
  assert got == by_protobuf({**VALUES, **changes})


def test_a_file_name_that_is_not_utf8_is_escaped():
  features = tf.train.Example.FromString(encode(filename='caf\udce9.png')).features.feature
  assert features['image/filename'].bytes_list.value == [b'caf\\udce9.png']


class TestDecode:
  def test_round_trip(self):
    assert example_proto.decode_example(encode()) == {key: [v] for key, v in VALUES.items()}

  def test_reads_what_protobuf_writes(self):
    features = {
      'several': tf.train.Feature(int64_list=tf.train.Int64List(value=[-1, 0, 300, 2**63 - 1])),
      'bytes': tf.train.Feature(bytes_list=tf.train.BytesList(value=[b'', b'x' * 300])),
      'floats': tf.train.Feature(float_list=tf.train.FloatList(value=[0.5, 2])),
      'empty': tf.train.Feature(),
    }
    example = tf.train.Example(features=tf.train.Features(feature=features))
    assert example_proto.decode_example(example.SerializeToString()) == {
      'several': [-1, 0, 300, 2**63 - 1],
      'bytes': [b'', b'x' * 300],
      'floats': [],
      'empty': [],
    }

  def test_reads_numbers_that_are_not_packed(self):
    key, numbers = b'\x0a\x01k', b'\x1a\x05\x08\x05\x08\xac\x02'  # fields 1: 5, 1: 300
    entry = key + b'\x12\x07' + numbers
    serialized = bytes((0x0A, len(entry) + 2, 0x0A, len(entry))) + entry
    assert tf.train.Example.FromString(serialized).features.feature['k'].int64_list.value == [
      5,
      300,
    ]
    assert example_proto.decode_example(serialized) == {'k': [5, 300]}

  def test_every_truncation_is_refused(self):
    whole = encode()
    for size in range(1, len(whole)):
      with pytest.raises(ValueError, match='tf.train.Example'):
        example_proto.decode_example(whole[:size])

  @pytest.mark.parametrize('other', [b'\xff\xd8\xff\xe0', b'\x08\x01', b'\x80' * 12])
  def test_other_bytes_are_refused(self, other):
    with pytest.raises(ValueError, match=r'not a tf\.train\.Example'):
      example_proto.decode_example(other)
