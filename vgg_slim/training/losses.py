"""The training loss: cross-entropy, and the value of weight decay beside it."""

from collections.abc import Sequence
from typing import NamedTuple

from vgg_slim.compat import tf


class Losses(NamedTuple):
  """float32 scalars, whose sum is the loss that training minimizes.

  Attributes:
    cross_entropy: mean cross-entropy of a batch.
    regularization: weight decay of the variables as they are when it is computed.
  """

  cross_entropy: tf.Tensor
  regularization: tf.Tensor


def build_losses(
  logits: tf.Tensor,
  labels: tf.Tensor,
  label_smoothing: float = 0.0,
  class_weights: Sequence[float] = (),
) -> Losses:
  """Softmax cross-entropy, averaged over the batch, and the collected weight decay.

  With class weights, the mean is that of weight times cross-entropy: a sum divided by the number of
  images, as in Keras, not by the sum of their weights. It does not depend on which images share a
  batch, a micro-batch or a replica.

  Args:
    logits: logits, float32 [N, K].
    labels: labels in 0 .. K - 1, int32 [N], or weights of all classes, float32 [N, K].
    label_smoothing: smoothing s in [0, 1): the target is 1 - s + s / K for the label and s / K for
      the other classes (Szegedy et al., arXiv:1512.00567, section 7).
    class_weights: weight of each class, by which the cross-entropy of its images is multiplied;
      where images are mixed, each of the two labels counts with its own weight. Empty for none.
  """
  with tf.name_scope('loss'):
    is_soft = labels.shape.rank == 2
    image_weights = None
    if class_weights:
      labels, image_weights = _weigh(labels, class_weights)
    if label_smoothing or is_soft:
      weights = labels if is_soft else tf.one_hot(labels, logits.shape[-1])
      target = weights * (1 - label_smoothing) + label_smoothing / logits.shape.as_list()[-1]
      each = tf.nn.softmax_cross_entropy_with_logits_v2(labels=target, logits=logits)
    else:
      each = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    if image_weights is not None:
      each *= image_weights
    cross_entropy = tf.reduce_mean(each, name='cross_entropy')
    regularization = tf.losses.get_regularization_loss(name='regularization')
    return Losses(cross_entropy, regularization)


def _weigh(labels: tf.Tensor, class_weights: Sequence[float]) -> tuple[tf.Tensor, tf.Tensor]:
  """Returns labels whose cross-entropy is to be multiplied by weights, and these, float32 [N]."""
  table = tf.constant(class_weights, tf.float32)
  if labels.shape.rank == 2:
    parts = labels * table
    image_weights = tf.reduce_sum(parts, axis=1)
    # TensorFlow's gradient of the cross-entropy assumes that the target adds up to 1.
    return tf.math.divide_no_nan(parts, image_weights[:, tf.newaxis]), image_weights
  # Unlike `tf.gather`, this leaves the error about an invalid label to the cross-entropy.
  return labels, tf.linalg.matvec(tf.one_hot(labels, len(class_weights)), table)


def build_accuracy(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
  """Fraction of the batch whose largest logit is the label's, float32 []; see `build_losses`."""
  with tf.name_scope('accuracy'):
    if labels.shape.rank == 2:
      labels = tf.argmax(labels, 1, output_type=tf.int32)
    hits = tf.equal(tf.argmax(logits, 1, output_type=tf.int32), labels)
    return tf.reduce_mean(tf.cast(hits, tf.float32))
