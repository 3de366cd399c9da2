"""What training makes small."""

from typing import NamedTuple

from vgg_slim.compat import tf


class Losses(NamedTuple):
  """float32 scalars; `total` = `cross_entropy` + `regularization`."""

  total: tf.Tensor
  cross_entropy: tf.Tensor
  regularization: tf.Tensor


def build_losses(logits: tf.Tensor, labels: tf.Tensor) -> Losses:
  """Soft-max cross-entropy, averaged over the batch, plus the collected weight decay.

  Args:
    logits: float32 [N, K].
    labels: int32 [N], 0 .. K - 1.
  """
  with tf.name_scope('loss'):
    each = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    cross_entropy = tf.reduce_mean(each, name='cross_entropy')
    regularization = tf.losses.get_regularization_loss(name='regularization')
    return Losses(tf.add(cross_entropy, regularization, 'total'), cross_entropy, regularization)


def build_accuracy(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
  """Share of the batch whose largest logit is the label's, float32 []."""
  with tf.name_scope('accuracy'):
    hits = tf.equal(tf.argmax(logits, 1, output_type=tf.int32), labels)
    return tf.reduce_mean(tf.cast(hits, tf.float32))
