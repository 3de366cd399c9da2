"""What every network returns."""

import dataclasses

from vgg_slim.compat import tf


@dataclasses.dataclass(frozen=True)
class NetOutputs:
  """Handles of a network in the graph.

  Attributes:
    score_map: float32 [N, h', w', K], the class score map before soft-max (VGG paper, 3.2); None
      for a trunk without a head.
    logits: float32 [N, K], its spatial average; None for a trunk. K = 1 is one sigmoid's logit, see
      `as_two_classes`.
    end_points: every layer's output by its scope below the network's, such as 'conv1/conv1_1',
      'pool5', 'block4', 'fc8'.
  """

  score_map: tf.Tensor | None
  logits: tf.Tensor | None
  end_points: dict[str, tf.Tensor]


def from_score_map(score_map: tf.Tensor, end_points: dict[str, tf.Tensor]) -> NetOutputs:
  """Adds the spatial average; a 1x1 map is its own average."""
  logits = tf.reduce_mean(score_map, [1, 2], name='logits')
  return NetOutputs(score_map, logits, {**end_points, 'logits': logits})


def as_two_classes(outputs: NetOutputs) -> NetOutputs:
  """Scores of both classes for a network with a single logit z, the sigmoid's.

  They are [0, z]: soft-max gives [1 - sigmoid(z), sigmoid(z)], its cross-entropy is the binary one,
  and the larger is class 1 where sigmoid(z) > 1/2. So nothing that takes class scores has to know.
  """

  def both(scores: tf.Tensor) -> tf.Tensor:
    return tf.concat([tf.zeros_like(scores), scores], axis=-1)

  return NetOutputs(both(outputs.score_map), both(outputs.logits), outputs.end_points)
