import numpy as np

from tests.testing import graph_session
from vgg_slim.compat import tf
from vgg_slim.nets.outputs import from_score_map


def test_logits_are_the_spatial_average():
  score_map = np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4)
  with graph_session() as session:
    outputs = from_score_map(tf.constant(score_map), {'pool5': tf.zeros([1])})
    logits = session.run(outputs.logits)
  # Cells start 4 apart: their mean start is (0 + 4 + ... + 20) / 6 = 10.
  np.testing.assert_array_equal(logits, [[10, 11, 12, 13]])
  assert sorted(outputs.end_points) == ['logits', 'pool5']
