import pytest

from vgg_slim.compat import tf
from vgg_slim.data import manifest, records
from vgg_slim.errors import DataError


def example(i=0, filename=None):
  return records.encode_example(
    encoded=b'bytes %d' % i,
    image_format='png',
    filename=filename or f'cat/{i}.png',
    label=i,
    class_name='cat',
    height=5,
    width=7,
  )


def read_file(path):
  return list(tf.io.tf_record_iterator(str(path)))


def test_the_keys_are_slims():
  features = tf.train.Example.FromString(example(2)).features.feature
  assert {key: value.WhichOneof('kind') for key, value in features.items()} == {
    'image/encoded': 'bytes_list',
    'image/format': 'bytes_list',
    'image/filename': 'bytes_list',
    'image/class/label': 'int64_list',
    'image/class/text': 'bytes_list',
    'image/height': 'int64_list',
    'image/width': 'int64_list',
  }
  assert features['image/class/label'].int64_list.value == [2]
  assert features['image/height'].int64_list.value == [5]
  assert features['image/width'].int64_list.value == [7]
  assert features['image/class/text'].bytes_list.value == [b'cat']
  assert features['image/format'].bytes_list.value == [b'png']


def test_parse_example_in_a_dataset():
  serialized = [example(0), example(1, filename='\u00e9.png')]
  with tf.Graph().as_default(), tf.Session() as session:
    dataset = tf.data.Dataset.from_tensor_slices(serialized).map(records.parse_example)
    parsed = tf.data.make_one_shot_iterator(dataset).get_next()
    assert (parsed.encoded.dtype, parsed.label.dtype) == (tf.string, tf.int32)
    assert [tensor.shape.rank for tensor in parsed] == [0, 0, 0]
    assert tuple(session.run(parsed)) == (b'bytes 0', 0, b'cat/0.png')
    assert tuple(session.run(parsed)) == (b'bytes 1', 1, '\u00e9.png'.encode())


def test_a_file_name_that_is_not_utf8_is_escaped():
  features = tf.train.Example.FromString(example(filename='caf\udce9.png')).features.feature
  assert features['image/filename'].bytes_list.value == [b'caf\\udce9.png']


def test_shard_name():
  assert records.shard_name('train', 7, 128) == 'train-00007-of-00128.tfrecord'


def test_shards_keep_the_order_and_differ_by_one_at_most(tmp_path):
  serialized = [example(i) for i in range(7)]
  shards = records.write_shards(tmp_path, 'test', iter(serialized), 7, 3)
  assert [shard.num_examples for shard in shards] == [2, 2, 3]
  assert [shard.file for shard in shards] == [f'test-0000{i}-of-00003.tfrecord' for i in range(3)]
  paths = [tmp_path / shard.file for shard in shards]
  assert [record for path in paths for record in read_file(path)] == serialized
  assert [shard.num_bytes for shard in shards] == [path.stat().st_size for path in paths]
  assert [shard.sha256 for shard in shards] == [manifest.sha256_of(path) for path in paths]


@pytest.mark.parametrize(
  ('count', 'message'), [(2, '1 examples came, expected 2'), (4, 'more than the 3 examples')]
)
def test_another_number_of_examples_is_an_error(tmp_path, count, message):
  with pytest.raises(DataError, match=message):
    records.write_shards(tmp_path, 'train', (example(i) for i in range(count)), 3, 2)


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path):
  with pytest.raises(DataError, match='nowhere.* cannot be written'):
    records.write_shards(tmp_path / 'nowhere', 'train', iter([example()]), 1, 1)
