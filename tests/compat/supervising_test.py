"""`slim.learning.train` and Supervisor in a plain graph, where other threads are eager."""

import pathlib
import time

import pytest

from vgg_slim.compat import slim, tf


# Of the writer that slim.learning.train closes before its last summary.
@pytest.mark.filterwarnings('ignore:Attempting to use a closed FileWriter:UserWarning')
def test_learning_train_counts_steps_saves_and_writes_summaries(tmp_path):
  with tf.Graph().as_default():
    weight = tf.get_variable('weight', initializer=4.0)
    tf.summary.scalar('weight', weight)
    tf.losses.add_loss(tf.square(weight))
    train = slim.learning.create_train_op(
      tf.losses.get_total_loss(), tf.train.GradientDescentOptimizer(0.25)
    )
    # d(w^2)/dw = 2w, so a rate of 0.25 halves the weight; the last loss is that of the third step.
    loss = slim.learning.train(
      train,
      str(tmp_path),
      number_of_steps=3,
      log_every_n_steps=0,
      save_summaries_secs=1,
      save_interval_secs=1,
    )
  assert loss == 1.0
  assert tf.train.latest_checkpoint(tmp_path) == str(tmp_path / 'model.ckpt-3')
  assert tf.train.load_variable(str(tmp_path), 'weight') == 0.5


def test_threads_of_a_supervisor_save_and_count(tmp_path):
  assert tf.executing_eagerly()
  with tf.Graph().as_default():
    step = tf.train.get_or_create_global_step()
    increment = tf.assign_add(step, 1)
    supervisor = tf.train.Supervisor(
      logdir=str(tmp_path), save_model_secs=1, save_summaries_secs=1, summary_op=None
    )
    with supervisor.managed_session() as session:
      session.run(increment)
      limit = time.monotonic() + 60
      while not pathlib.Path(tmp_path, 'checkpoint').exists():
        assert time.monotonic() < limit
        assert not supervisor.should_stop()  # a thread that fails stops all
        time.sleep(0.05)
      assert not supervisor.should_stop()
