import pytest

from vgg_slim.compat import tf
from vgg_slim.data import manifest, record_framing, shards


def test_shard_name():
  assert shards.shard_name('train', 7, 128) == 'train-00007-of-00128.tfrecord'


def test_a_shard_keeps_the_order_and_is_described(tmp_path):
  records = [bytes([i]) * 1000 * i for i in range(7)]
  path = tmp_path / 'test-00000-of-00001.tfrecord'
  shard = shards.write_shard(path, map(record_framing.frame, records))
  # TensorFlow verifies the checksums as it reads.
  assert list(tf.io.tf_record_iterator(str(path))) == records
  assert (shard.file, shard.num_examples, shard.num_bytes) == (path.name, 7, path.stat().st_size)
  assert shard.sha256 == manifest.sha256_of(path)


def test_an_error_among_the_records_leaves_no_file(tmp_path):
  def frames():
    yield b'x'
    raise RuntimeError

  with pytest.raises(RuntimeError):
    shards.write_shard(tmp_path / 'x', frames())
  assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_named(tmp_path):
  with pytest.raises(FileNotFoundError, match='nowhere/x'):
    shards.write_shard(tmp_path / 'nowhere' / 'x', iter([b'x']))
