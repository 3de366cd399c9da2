import numpy as np
import pytest

from tests.testing import graph_session
from vgg_slim.compat import tf
from vgg_slim.errors import DataError, TrainingError
from vgg_slim.training import diagnosis, graph

VALUES = {'weights': np.array([1.0, -1.0], np.float32), 'global_step': np.int64(7)}


def build_loss():
  weights = tf.get_variable('weights', [2])
  tf.train.get_or_create_global_step()
  root = tf.sqrt(weights, name='root')  # of -1
  hidden = tf.multiply(root, 2.0, name='twice')
  tf.math.log(-1.0, name='not_used_by_the_loss')
  return tf.reduce_sum(hidden), tf.no_op()


def test_the_first_tensor_that_is_not_finite_is_named():
  assert (
    diagnosis.describe_first_non_finite(build_loss, VALUES)
    == 'the first tensor that is not finite is root:0'
  )


def test_weights_that_were_not_finite_before_the_step_are_named():
  bad = {**VALUES, 'weights': np.float32([1.0, np.inf])}
  assert diagnosis.describe_first_non_finite(build_loss, bad).startswith(
    'weights was not finite before this'
  )


def test_statistics_that_the_failed_step_itself_has_updated_are_not_blamed():
  def build():
    tf.get_variable('moving_mean', [1], trainable=False)
    return build_loss()

  updated = {**VALUES, 'moving_mean': np.float32([np.nan])}
  assert (
    diagnosis.describe_first_non_finite(build, updated)
    == 'the first tensor that is not finite is root:0'
  )


def test_a_loss_that_is_finite_when_repeated_is_reported():
  good = {**VALUES, 'weights': np.float32([1.0, 1.0])}
  assert (
    diagnosis.describe_first_non_finite(build_loss, good)
    == 'the loss was finite when the step was repeated'
  )


def test_other_invalid_arguments_are_not_taken_for_a_non_finite_loss():
  with graph_session() as session:
    with (
      pytest.raises(tf.errors.InvalidArgumentError, match='Incompatible'),
      diagnosis.explain_data_errors(lambda: None),
      diagnosis.explain_non_finite_loss(session, lambda step: None, str),
    ):
      raise tf.errors.InvalidArgumentError(None, None, 'Incompatible shapes')
    with (
      pytest.raises(DataError, match='cannot be used for training: Received a label value of 5'),
      diagnosis.explain_data_errors(lambda: None),
    ):
      raise tf.errors.InvalidArgumentError(None, None, 'Received a label value of 5\nmore')


def test_a_loss_that_is_not_finite_is_explained():
  with graph_session() as session:
    tf.train.get_or_create_global_step()
    session.run(tf.global_variables_initializer())
    check = tf.debugging.check_numerics(tf.constant(np.nan), graph.LOSS_CHECK)

    def build(step):
      assert step == 0
      return tf.math.log(tf.constant(-1.0), name='log'), tf.no_op()

    with (
      pytest.raises(TrainingError, match='step 1: the first .* is log:0. .* saved. From step 0.'),
      diagnosis.explain_non_finite_loss(session, build, lambda step: f'From step {step}.'),
    ):
      session.run(check)


def test_a_damaged_record_is_found():
  def check_data():
    raise DataError('a.tfrecord: record 3 is damaged')

  with (
    pytest.raises(DataError, match='record 3 is damaged'),
    diagnosis.explain_data_errors(check_data),
  ):
    raise tf.errors.DataLossError(None, None, 'corrupted record at 99')
