import pytest

from vgg_slim.compat import tf
from vgg_slim.data import example_proto, records
from vgg_slim.errors import DataError


def example(i=0, filename=None):
  return example_proto.encode_example(
    encoded=b'bytes %d' % i,
    image_format='png',
    filename=filename or f'cat/{i}.png',
    label=i,
    class_name='cat',
    height=5,
    width=7,
  )


def write_shard(path, serialized):
  with tf.io.TFRecordWriter(str(path)) as writer:
    for record in serialized:
      writer.write(record)


def test_parse_example_in_a_dataset():
  serialized = [example(0), example(1, filename='\u00e9.png')]
  with tf.Graph().as_default(), tf.Session() as session:
    dataset = tf.data.Dataset.from_tensor_slices(serialized).map(records.parse_example)
    parsed = tf.data.make_one_shot_iterator(dataset).get_next()
    assert (parsed.encoded.dtype, parsed.label.dtype) == (tf.string, tf.int32)
    assert [tensor.shape.rank for tensor in parsed] == [0, 0, 0, 1]
    *first, size = session.run(parsed)
    assert first == [b'bytes 0', 0, b'cat/0.png']
    assert size.tolist() == [5, 7]
    assert session.run(parsed)[:3] == (b'bytes 1', 1, '\u00e9.png'.encode())


def test_read_examples_yields_names_and_bytes_in_order(tmp_path):
  paths = [tmp_path / 'a', tmp_path / 'b']
  for i, path in enumerate(paths):
    write_shard(path, [example(2 * i), example(2 * i + 1, filename='\u00e9.png')])
  examples = list(records.read_examples(map(str, paths)))
  assert [encoded for _, encoded in examples] == [b'bytes 0', b'bytes 1', b'bytes 2', b'bytes 3']
  assert [name for name, _ in examples] == ['cat/0.png', '\u00e9.png', 'cat/2.png', '\u00e9.png']


def test_a_shard_that_cannot_be_read_is_named(tmp_path):
  (tmp_path / 'a').write_bytes(bytes(range(64)))
  with pytest.raises(DataError, match='a cannot be read'):
    list(records.read_examples([str(tmp_path / 'a')]))


class TestCheckRecords:
  @pytest.fixture
  def paths(self, tmp_path):
    paths = [tmp_path / name for name in ('a.tfrecord', 'b.tfrecord')]
    write_shard(paths[0], [example(0), example(1)])
    write_shard(paths[1], [example(1), example(2)])
    return [str(path) for path in paths]

  def test_an_out_of_range_label_is_named(self, paths):
    assert records.check_records(paths, num_classes=3) is None
    with pytest.raises(
      DataError, match='b.tfrecord: record 1 .from 0. has label 2; with 2 classes'
    ):
      records.check_records(paths, num_classes=2)
    assert records.check_records(paths, num_classes=2, limit=1) is None

  def test_a_record_without_a_label_is_named(self, paths, tmp_path):
    path = tmp_path / 'c.tfrecord'
    write_shard(path, [tf.train.Example().SerializeToString()])
    with pytest.raises(DataError, match='c.tfrecord: record 0 .from 0. has label none'):
      records.check_records([*paths, str(path)], num_classes=3)

  def test_a_damaged_record_is_named(self, paths, tmp_path):
    path = tmp_path / 'b.tfrecord'
    path.write_bytes(path.read_bytes()[:-1] + b'x')
    with pytest.raises(DataError, match='b.tfrecord: record 1 .from 0. is damaged'):
      records.check_records(paths, num_classes=3)
