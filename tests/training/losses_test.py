import numpy as np
import pytest

from tests.testing import graph_session
from vgg_slim.compat import tf
from vgg_slim.training import losses


def test_losses_by_hand():
  logits, labels = [[0.0, 0.0], [np.log(3.0), 0.0]], [1, 0]
  with graph_session() as session:
    tf.add_to_collection(tf.GraphKeys.REGULARIZATION_LOSSES, tf.constant(0.25))
    got = session.run(losses.build_losses(tf.constant(logits, tf.float32), tf.constant(labels)))
  cross_entropy = (np.log(2) - np.log(3 / 4)) / 2
  assert got.cross_entropy == pytest.approx(cross_entropy)
  assert got.regularization == 0.25
  assert got.total == pytest.approx(cross_entropy + 0.25)


def test_accuracy_counts_largest_logits():
  with graph_session() as session:
    logits = tf.constant([[1.0, 0], [0, 1], [0, 1], [1, 0]])
    assert session.run(losses.build_accuracy(logits, tf.constant([0, 1, 0, 0]))) == 0.75
