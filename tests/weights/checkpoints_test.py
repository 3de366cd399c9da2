import pytest

from tests.testing import graph_session
from vgg_slim.compat import tf
from vgg_slim.errors import CheckpointError
from vgg_slim.weights import checkpoints


@pytest.fixture
def checkpoint(tmp_path):
  with graph_session() as session:
    tf.get_variable('a/weights', [2, 3])
    tf.get_variable('a/biases', [3])
    step = tf.train.get_or_create_global_step()
    session.run(tf.global_variables_initializer())
    session.run(step.assign(41))
    return tf.train.Saver().save(session, str(tmp_path / 'model.ckpt'), global_step=41)


def test_newest_and_its_step(checkpoint, tmp_path):
  assert checkpoints.latest_checkpoint(str(tmp_path)) == checkpoint
  assert checkpoints.global_step(checkpoint) == 41


def test_an_empty_folder_has_none(tmp_path):
  assert checkpoints.latest_checkpoint(str(tmp_path)) is None


def test_what_is_no_checkpoint_is_named(tmp_path):
  with pytest.raises(CheckpointError, match='nothing cannot be read: there are no files .*nothing'):
    checkpoints.global_step(str(tmp_path / 'nothing'))


def test_every_difference_is_listed(checkpoint):
  with graph_session():
    tf.get_variable('a/weights', [2, 3])
    tf.get_variable('a/biases', [4])
    tf.get_variable('b/weights', [1])
    variables = tf.global_variables()
  names = checkpoints.stored_names(variables)
  with pytest.raises(CheckpointError) as error:
    checkpoints.check_fits(checkpoint, names)
  assert 'a/biases has shape [3], the network [4]; b/weights is missing.' in str(error.value)
  assert 'a/weights' not in str(error.value)
  assert checkpoints.check_fits(checkpoint, {'a/weights': names['a/weights']}) is None
  averages = checkpoints.stored_names(variables[:1], averages=True)
  with pytest.raises(CheckpointError, match='a/weights/ExponentialMovingAverage is missing'):
    checkpoints.check_fits(checkpoint, averages)


def test_inference_takes_averages_where_there_are_any(checkpoint, tmp_path):
  with graph_session() as session:
    weights = tf.get_variable('a/weights', [2, 3])
    assert checkpoints.inference_names(checkpoint, [weights]) == {'a/weights': weights}
    tf.get_variable(f'a/weights{checkpoints.AVERAGE_SUFFIX}', [2, 3])
    session.run(tf.global_variables_initializer())
    prefix = tf.train.Saver().save(session, str(tmp_path / 'averaged'))
    expected = {f'a/weights{checkpoints.AVERAGE_SUFFIX}': weights}
    assert checkpoints.inference_names(prefix, [weights]) == expected
