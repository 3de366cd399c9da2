"""What on a picture speaks for a class: the dense score map itself, and Grad-CAM of any layer."""

from vgg_slim.compat import tf
from vgg_slim.nets.outputs import NetOutputs


def build_class_map(score_map: tf.Tensor, class_id: tf.Tensor) -> tf.Tensor:
  """Probability of a class in every cell of the class score map, each cell on its own.

  Args:
    score_map: float32 [N, h', w', K]; K = 1 is a sigmoid's, for classes 0 and 1.
    class_id: int32 [], 0 .. K - 1.

  Returns:
    float32 [N, h', w'], 0..1.
  """
  return tf.nn.softmax(_two_columns(score_map))[..., class_id]


def build_grad_cam(outputs: NetOutputs, layer: str, class_id: tf.Tensor) -> tf.Tensor:
  """Grad-CAM (Selvaraju et al., arXiv:1610.02391, equations 1 and 2).

  The channels of a map weighted by the mean gradient of the class's logit, summed, and cut at 0.

  Args:
    outputs: of the network, in inference mode.
    layer: a name of its end points.
    class_id: int32 [], 0 .. K - 1; 0 or 1 for a single sigmoid.

  Returns:
    float32 [N, h, w], at least 0; its scale has no meaning beyond the picture.
  """
  features = outputs.end_points[layer]
  score = tf.reduce_sum(_two_columns(outputs.logits)[:, class_id])
  (gradient,) = tf.gradients(score, features)
  weights = tf.reduce_mean(gradient, [1, 2], keepdims=True)
  return tf.nn.relu(tf.reduce_sum(weights * features, axis=-1))


def _two_columns(logits: tf.Tensor) -> tf.Tensor:
  """One logit z of a sigmoid as the two of an equal soft-max, -z/2 and z/2; others as they are."""
  if logits.shape[-1] != 1:
    return logits
  return tf.concat([-logits / 2, logits / 2], axis=-1)
