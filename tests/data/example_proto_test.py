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


def test_the_keys_are_slims():
  features = tf.train.Example.FromString(encode()).features.feature
  assert {
    key: (value.bytes_list.value or value.int64_list.value)[0] for key, value in features.items()
  } == VALUES


# Lengths and numbers around those where a varint grows by a byte.
@pytest.mark.parametrize('size', [0, 1, 90, 127, 128, 16_383, 16_384, 3_000_000])
def test_bytes_are_those_of_protobuf(size):
  changes = {'image/encoded': b'x' * size, 'image/height': size, 'image/class/label': size}
  got = encode(encoded=b'x' * size, height=size, label=size)
  assert got == by_protobuf({**VALUES, **changes})


def test_a_file_name_that_is_not_utf8_is_escaped():
  features = tf.train.Example.FromString(encode(filename='caf\udce9.png')).features.feature
  assert features['image/filename'].bytes_list.value == [b'caf\\udce9.png']
