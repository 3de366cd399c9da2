"""The return value of every network."""

import dataclasses

from vgg_slim.compat import tf


@dataclasses.dataclass(frozen=True)
class NetOutputs:
  """Tensors of a network in the graph.

  Attributes:
    score_map: float32 [N, h', w', K], the class score map before the softmax (VGG paper, 3.2); None
      for a trunk without a head.
    logits: float32 [N, K], the spatial average of the score map; None for a trunk. K = 1 is the
      logit of a single sigmoid, see `as_two_classes`.
    end_points: output of every layer by its scope below the network's, such as 'conv1/conv1_1',
      'pool5', 'block4', 'fc8'.
  """

  score_map: tf.Tensor | None
  logits: tf.Tensor | None
  end_points: dict[str, tf.Tensor]


def from_score_map(score_map: tf.Tensor, end_points: dict[str, tf.Tensor]) -> NetOutputs:
  """Adds the logits, the spatial average of the score map."""
  logits = tf.reduce_mean(score_map, [1, 2], name='logits')
  return NetOutputs(score_map, logits, {**end_points, 'logits': logits})


def as_two_classes(outputs: NetOutputs) -> NetOutputs:
  """Converts the single logit z of a sigmoid to scores of two classes.

  The scores are [0, z]: their softmax is [1 - sigmoid(z), sigmoid(z)], its cross-entropy is the
  binary one, and class 1 has the larger score if sigmoid(z) > 1/2. Code that takes class scores
  needs no special case for sigmoids.
  """

  def both(scores: tf.Tensor) -> tf.Tensor:
    return tf.concat([tf.zeros_like(scores), scores], axis=-1)

  return NetOutputs(both(outputs.score_map), both(outputs.logits), outputs.end_points)
