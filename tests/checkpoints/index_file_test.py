import random

import pytest

from tests import testing
from tests.fuzzing import containers
from vgg_slim.checkpoints import index_file
from vgg_slim.compat import tf


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """A checkpoint with a variable in parts, and one of strings."""
  folder = tmp_path_factory.mktemp('index')
  with testing.graph_session() as session:
    tf.get_variable('conv/weights', [2, 3])
    tf.get_variable('parts', [6, 3], partitioner=tf.fixed_size_partitioner(2))
    tf.get_variable('text', initializer=['some', 'text'])
    tf.get_variable('flag', initializer=True)
    session.run(tf.global_variables_initializer())
    tf.train.Saver().save(session, str(folder / 'model.ckpt'), write_meta_graph=False)
  return folder


def replace(content, before, after):
  """Replaces bytes of the first block, whose checksum is right again."""
  assert content.count(before) == 1 and len(before) == len(after)
  return containers.in_table(lambda block, _: block.replace(before, after))(
    content, random.Random(0)
  )


def test_an_honest_index_may_be_read(folder):
  assert index_file.find_damage(folder / 'model.ckpt.index') is None


@pytest.mark.parametrize(
  ('before', 'after', 'reason'),
  [
    (b'conv/weights', b'conv/wei\xff\xff\xff\xff', 'it is damaged'),  # not UTF-8
    # Type 1, then the shape: 8 bytes with two dimensions of 2 bytes each.
    (b'\x08\x01\x12\x08\x12\x02\x08\x02', b'\x08\x01\x12\x70\x12\x02\x08\x02', 'it is damaged'),
    (b'\x08\x01\x12\x08\x12\x02\x08\x02', b'\x08\x63\x12\x08\x12\x02\x08\x02', 'unknown type 99'),
    (
      b'\x08\x01\x12\x08\x12\x02\x08\x02',
      b'\x08\x01\x12\x08\x12\x02\x08\x7f',
      'does not hold them',
    ),
  ],
)
def test_an_entry_that_tensorflow_cannot_parse_is_found(folder, tmp_path, before, after, reason):
  content = (folder / 'model.ckpt.index').read_bytes()
  path = tmp_path / 'model.ckpt.index'
  path.write_bytes(replace(content, before, after))
  assert reason in (index_file.find_damage(path) or '')


@pytest.mark.parametrize('size', [0, 47, 60, 99])
def test_an_index_that_is_cut_off_is_damaged(folder, tmp_path, size):
  content = (folder / 'model.ckpt.index').read_bytes()
  path = tmp_path / 'x.index'
  for part in (content[:size], content[size - 100 :]):
    path.write_bytes(part)
    assert index_file.find_damage(path)
