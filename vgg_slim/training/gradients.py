"""Gradient accumulation over micro-batches, weight decay, and clipping by global norm."""

from collections.abc import Collection, Sequence

from vgg_slim.compat import tf
from vgg_slim.ops.cross_replica import cross_replica_sums
from vgg_slim.ops.scopes import plain_name

Gradients = Sequence[tuple[tf.Tensor | None, tf.Variable]]


def add(first: Gradients, second: Gradients) -> Gradients:
  """Sums two micro-batches' gradients, variable by variable."""
  return [
    (None if a is None else tf.add_n([a, b]), variable)
    for (a, variable), (b, _) in zip(first, second, strict=True)
  ]


def add_decay(gradients: Gradients, factor: float, decayed: Collection[str]) -> Gradients:
  """Adds the gradient of factor * sum(v**2) / 2 to the gradient of each decayed variable v.

  Args:
    gradients: pairs of gradient and variable.
    factor: factor of weight decay; with 0, a gradient of None becomes zeros.
    decayed: names of the decayed variables.
  """

  def decay(gradient: tf.Tensor | None, variable: tf.Variable) -> tf.Tensor | None:
    if plain_name(variable) not in decayed:
      return gradient
    if not factor:
      return tf.zeros_like(variable) if gradient is None else gradient
    pull = factor * variable
    return pull if gradient is None else gradient + pull

  return [(decay(gradient, variable), variable) for gradient, variable in gradients]


def clip(gradients: Gradients, max_norm: float) -> Gradients:
  """Scales all gradients by max_norm / norm where their global norm exceeds `max_norm`.

  The global norm is the square root of the sum of all squares (Pascanu et al., arXiv:1211.5063).
  With several replicas this is a collective operation: the gradients are summed over the replicas
  first, and every replica gets the clipped sums, which `optimizers.SummedGradientsMixin` does not
  sum again.
  """
  present = [gradient for gradient, _ in gradients if gradient is not None]
  if tf.distribute.get_strategy().num_replicas_in_sync > 1:
    present = cross_replica_sums(present)
  clipped = iter(tf.clip_by_global_norm(present, max_norm)[0])
  return [
    (None if gradient is None else next(clipped), variable) for gradient, variable in gradients
  ]
