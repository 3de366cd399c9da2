"""The training loss: cross-entropy and weight decay."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from vgg_slim.compat import tf

# Last component of a variable's name, for each kind of `OptimizerConfig.weight_decay_on`.
_NAMES = {'weights': ('weights',), 'biases': ('biases',), 'batch_norm': ('gamma', 'beta')}


class Losses(NamedTuple):
  """float32 scalars; `total` = `cross_entropy` + `regularization`."""

  total: tf.Tensor
  cross_entropy: tf.Tensor
  regularization: tf.Tensor


def build_losses(logits: tf.Tensor, labels: tf.Tensor, label_smoothing: float = 0.0) -> Losses:
  """Softmax cross-entropy, averaged over the batch, plus the collected weight decay.

  Args:
    logits: logits, float32 [N, K].
    labels: labels in 0 .. K - 1, int32 [N], or weights of all classes, float32 [N, K].
    label_smoothing: smoothing s in [0, 1): the target is 1 - s + s / K for the label and s / K for
      the other classes (Szegedy et al., arXiv:1512.00567, section 7).
  """
  with tf.name_scope('loss'):
    is_soft = labels.shape.rank == 2
    if label_smoothing or is_soft:
      weights = labels if is_soft else tf.one_hot(labels, logits.shape[-1])
      target = weights * (1 - label_smoothing) + label_smoothing / logits.shape.as_list()[-1]
      each = tf.nn.softmax_cross_entropy_with_logits_v2(labels=target, logits=logits)
    else:
      each = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    cross_entropy = tf.reduce_mean(each, name='cross_entropy')
    regularization = tf.losses.get_regularization_loss(name='regularization')
    return Losses(tf.add(cross_entropy, regularization, 'total'), cross_entropy, regularization)


def build_accuracy(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
  """Fraction of the batch whose largest logit is the label's, float32 []; see `build_losses`."""
  with tf.name_scope('accuracy'):
    if labels.shape.rank == 2:
      labels = tf.argmax(labels, 1, output_type=tf.int32)
    hits = tf.equal(tf.argmax(logits, 1, output_type=tf.int32), labels)
    return tf.reduce_mean(tf.cast(hits, tf.float32))


def variables_to_decay(variables: Iterable[tf.Variable], kinds: Sequence[str]) -> list[tf.Variable]:
  """The variables of the given kinds; see `OptimizerConfig.weight_decay_on`."""
  names = {name for kind in kinds for name in _NAMES[kind]}
  return [v for v in variables if v.op.name.rpartition('/')[2] in names]


def collect_weight_decay(variables: Iterable[tf.Variable], weight_decay: float) -> None:
  """Adds weight_decay * sum(v**2) / 2 of each variable to the regularization losses."""
  for variable in variables:
    with tf.name_scope(f'{variable.op.name}/regularizer'):
      loss = tf.multiply(weight_decay, tf.nn.l2_loss(variable), name='l2')
    tf.add_to_collection(tf.GraphKeys.REGULARIZATION_LOSSES, loss)
