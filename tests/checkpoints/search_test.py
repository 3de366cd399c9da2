import logging
import os
import re

import numpy as np
import pytest

from tests.testing import graph_session
from tests.weights.fabricated import save_checkpoint
from vgg_slim.checkpoints import prefixes, search
from vgg_slim.compat import tf
from vgg_slim.errors import CheckpointError


@pytest.fixture
def checkpoint(tmp_path):
  with graph_session() as session:
    tf.get_variable('a/weights', [2, 3])
    tf.get_variable('a/biases', [3])
    step = tf.train.get_or_create_global_step()
    session.run(tf.global_variables_initializer())
    session.run(step.assign(41))
    return tf.train.Saver().save(session, str(tmp_path / 'model.ckpt'), global_step=41)


def test_search_finds_the_newest_checkpoint_and_its_step(checkpoint, tmp_path):
  assert search.search(str(tmp_path)) == search.Search(checkpoint, ())
  assert search.global_step(checkpoint) == 41


def test_an_empty_folder_holds_no_checkpoint(tmp_path):
  assert search.search(str(tmp_path)) == search.Search(None, ())
  assert search.find(str(tmp_path)) is None


def test_a_missing_checkpoint_is_named(tmp_path):
  with pytest.raises(CheckpointError, match='nothing cannot be read: there are no files .*nothing'):
    search.global_step(str(tmp_path / 'nothing'))


def test_every_difference_is_listed(checkpoint):
  with graph_session():
    tf.get_variable('a/weights', [2, 3])
    tf.get_variable('a/biases', [4])
    tf.get_variable('b/weights', [1])
    variables = tf.global_variables()
  names = search.stored_names(variables)
  with pytest.raises(CheckpointError) as error:
    search.check_fits(checkpoint, names)
  assert 'a/biases has shape [3], expected [4]; b/weights is missing.' in str(error.value)
  assert 'a/weights' not in str(error.value)
  assert search.check_fits(checkpoint, {'a/weights': names['a/weights']}) is None
  lists = {name: names[name] for name in ('a/weights', 'a/biases')}
  assert search.check_fits(checkpoint, lists, of_any_length='a') is None
  with pytest.raises(CheckpointError, match='b/weights is missing'):
    search.check_fits(checkpoint, names, of_any_length='a')
  averages = search.stored_names(variables[:1], averages=True)
  with pytest.raises(CheckpointError, match='a/weights/ExponentialMovingAverage is missing'):
    search.check_fits(checkpoint, averages)


def test_inference_uses_moving_averages_where_there_are_any(checkpoint, tmp_path):
  with graph_session() as session:
    weights = tf.get_variable('a/weights', [2, 3])
    assert search.inference_names(checkpoint, [weights]) == {'a/weights': weights}
    tf.get_variable(f'a/weights{search.AVERAGE_SUFFIX}', [2, 3])
    session.run(tf.global_variables_initializer())
    prefix = tf.train.Saver().save(session, str(tmp_path / 'averaged'))
    expected = {f'a/weights{search.AVERAGE_SUFFIX}': weights}
    assert search.inference_names(prefix, [weights]) == expected


DATA = '.data-00000-of-00001'


def truncate(path):
  os.truncate(path, path.stat().st_size - 1)


def flip(path):
  content = bytearray(path.read_bytes())
  content[len(content) // 8] ^= 4  # at an eighth, because TensorFlow ignores some bytes of an index
  path.write_bytes(content)


def lead_nowhere(path):
  path.unlink()
  path.symlink_to('gone')


DAMAGES = {
  'data empty': (DATA, lambda path: os.truncate(path, 0), 'its data file has 0 bytes instead of'),
  'data truncated': (DATA, truncate, r'its data file has \d+ bytes instead of \d+'),
  'data missing': (DATA, os.unlink, 'its data file is missing'),
  'data link leads nowhere': (DATA, lead_nowhere, 'its data file is missing'),
  'bit flip': (DATA, flip, 'the bytes of a/weights do not match their checksum'),
  'index missing': ('.index', os.unlink, 'its index is missing'),
  'index link leads nowhere': ('.index', lead_nowhere, 'its index is missing'),
  'index empty': ('.index', lambda path: os.truncate(path, 0), 'its index cannot be read'),
  'index truncated': ('.index', truncate, 'its index cannot be read'),
  'index garbage': (
    '.index',
    lambda path: path.write_bytes(b'x' * 500),
    'its index cannot be read',
  ),
  'index bit flip': ('.index', flip, 'its index cannot be read'),
}


@pytest.mark.parametrize('damage', DAMAGES)
def test_damage_is_found_and_the_previous_checkpoint_is_used(checkpoint, tmp_path, caplog, damage):
  with graph_session() as session:
    tf.get_variable('a/weights', [200, 30])
    session.run(tf.global_variables_initializer())
    newer = tf.train.Saver().save(session, str(tmp_path / 'model.ckpt'), global_step=42)
  prefixes.write_state(str(tmp_path), ['model.ckpt-41', 'model.ckpt-42'])
  assert search.find_damage(newer) is None
  assert search.find(str(tmp_path)) == newer
  suffix, inflict, reason = DAMAGES[damage]
  inflict(tmp_path / f'model.ckpt-42{suffix}')
  with caplog.at_level(logging.WARNING):
    assert search.find(str(tmp_path)) == checkpoint
  assert re.fullmatch(
    rf'{re.escape(newer)} is damaged: {reason}.*\. Using {re.escape(checkpoint)} instead\.',
    caplog.messages[0],
  )
  with pytest.raises(CheckpointError, match=f'model.ckpt-42 is damaged: {reason}'):
    search.check_intact(newer)
  prefixes.remove(checkpoint)
  with pytest.raises(CheckpointError, match=f'no intact checkpoint: .*ckpt-42 .*: {reason}'):
    search.find(str(tmp_path))


def test_a_checkpoint_of_format_v1_is_intact(tmp_path):
  save_checkpoint(tmp_path / 'v1.ckpt', {'a': np.ones(3, 'f')}, version=1)
  assert search.find_damage(str(tmp_path / 'v1.ckpt')) is None


def test_a_failed_restore_names_the_damage(checkpoint, tmp_path):
  flip(tmp_path / f'model.ckpt-41{DATA}')
  with graph_session() as session:
    variables = [tf.get_variable('a/weights', [2, 3]), tf.get_variable('a/biases', [3])]
    with pytest.raises(CheckpointError, match='-41 cannot be read: the bytes of .* checksum'):
      search.restore(tf.train.Saver(variables), session, checkpoint)
