"""Heat maps of the evidence for a class: the class score map, and Grad-CAM of any layer."""

from vgg_slim.compat import tf
from vgg_slim.nets.outputs import NetOutputs


def build_class_map(score_map: tf.Tensor, class_id: tf.Tensor) -> tf.Tensor:
  """Probability of a class in each cell of the class score map, independently of other cells.

  Args:
    score_map: class score map, float32 [N, h', w', K]; K = 1 for a sigmoid over classes 0 and 1.
    class_id: class index, int32 [], 0 .. K - 1; 0 or 1 for a sigmoid.

  Returns:
    float32 [N, h', w'], 0..1.
  """
  return tf.nn.softmax(_two_columns(score_map))[..., class_id]


def build_grad_cam(outputs: NetOutputs, layer: str, class_id: tf.Tensor) -> tf.Tensor:
  """Grad-CAM (Selvaraju et al., arXiv:1610.02391, equations 1 and 2).

  The ReLU of the sum of a feature map's channels, each weighted by the mean gradient of the class's
  logit with respect to it.

  Args:
    outputs: outputs of the network in inference mode.
    layer: name of an end point of the network.
    class_id: class index, int32 [], 0 .. K - 1; 0 or 1 for a sigmoid.

  Returns:
    float32 [N, h, w], at least 0; values of different images are not comparable.
  """
  features = outputs.end_points[layer]
  score = tf.reduce_sum(_two_columns(outputs.logits)[:, class_id])
  (gradient,) = tf.gradients(score, features)
  weights = tf.reduce_mean(gradient, [1, 2], keepdims=True)
  return tf.nn.relu(tf.reduce_sum(weights * features, axis=-1))


def _two_columns(logits: tf.Tensor) -> tf.Tensor:
  """Turns one sigmoid logit z into the equivalent softmax logits -z/2 and z/2."""
  if logits.shape[-1] != 1:
    return logits
  return tf.concat([-logits / 2, logits / 2], axis=-1)
