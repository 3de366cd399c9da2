import numpy as np

from tests.testing import graph_session
from vgg_slim.compat import tf
from vgg_slim.nets.outputs import as_two_classes, from_score_map


def test_logits_are_the_spatial_average():
  score_map = np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4)
  with graph_session() as session:
    outputs = from_score_map(tf.constant(score_map), {'pool5': tf.zeros([1])})
    logits = session.run(outputs.logits)
  # The first class has the scores 0, 4, ..., 20, whose mean is 10.
  np.testing.assert_array_equal(logits, [[10, 11, 12, 13]])
  assert sorted(outputs.end_points) == ['logits', 'pool5']


def test_two_classes_have_the_probabilities_and_loss_of_the_sigmoid():
  values = np.float32([[-90], [-1.5], [0.25], [90]])
  with graph_session() as session:
    z = tf.constant(values)
    outputs = as_two_classes(from_score_map(z[:, tf.newaxis, tf.newaxis], {'fc8': z}))
    labels = tf.constant([1, 1, 0, 1])
    loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=outputs.logits)
    predicted = tf.argmax(outputs.logits, 1)
    score_map, probabilities, loss, predicted = session.run(
      [outputs.score_map, tf.nn.softmax(outputs.logits), loss, predicted]
    )
  p = 1 / (1 + np.exp(-values.astype(np.float64)))[:, 0]
  np.testing.assert_allclose(probabilities, np.stack([1 - p, p], 1), rtol=1e-6, atol=1e-38)
  np.testing.assert_allclose(loss, [90, -np.log(p[1]), -np.log(1 - p[2]), 0], rtol=1e-6, atol=1e-38)
  assert predicted.tolist() == [0, 0, 1, 1]
  assert score_map.shape == (4, 1, 1, 2)
