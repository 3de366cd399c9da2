"""Gradients between loss and update: added up over parts of a batch, limited in norm."""

from collections.abc import Sequence

from vgg_slim.compat import tf
from vgg_slim.ops.cross_replica import cross_replica_sums

Gradients = Sequence[tuple[tf.Tensor | None, tf.Variable]]


def add_up(parts: Sequence[Gradients]) -> Gradients:
  """The sum of the parts' gradients, variable by variable."""
  if len(parts) == 1:
    return parts[0]
  return [
    (None if pairs[0][0] is None else tf.add_n([gradient for gradient, _ in pairs]), pairs[0][1])
    for pairs in zip(*parts, strict=True)
  ]


def clip(gradients: Gradients, max_norm: float) -> Gradients:
  """Scales all gradients by max_norm / norm where their global norm exceeds `max_norm`.

  The global norm is the root of the sum of all squares (Pascanu et al., arXiv:1211.5063). Several
  replicas all have to call it: their gradients are summed first, and each is given the clipped
  sums, which `optimizers.AppliesSums` does not sum again.
  """
  found = [gradient for gradient, _ in gradients if gradient is not None]
  if tf.distribute.get_strategy().num_replicas_in_sync > 1:
    found = cross_replica_sums(found)
  clipped = iter(tf.clip_by_global_norm(found, max_norm)[0])
  return [
    (None if gradient is None else next(clipped), variable) for gradient, variable in gradients
  ]
