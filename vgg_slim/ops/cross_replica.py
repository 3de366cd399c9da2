"""Sums over the replicas of a `tf.distribute` strategy, for use within networks."""

from collections.abc import Sequence

from vgg_slim.compat import own_arg_scopes, tf

_NAME = 'VggSlimCrossReplicaSum'


def cross_replica_sums(values: Sequence[tf.Tensor]) -> list[tf.Tensor]:
  """Returns the sum of each tensor over all replicas, in one exchange and without gradients.

  Every replica must call this function with tensors of the same shapes in the same order.
  """
  with own_arg_scopes():  # meanwhile the other replicas are built up to this call
    return tf.distribute.get_replica_context().merge_call(_reduce, args=(list(values),))


def cross_replica_sum(value: tf.Tensor) -> tf.Tensor:
  """Returns the sum of a tensor over all replicas, with its gradient.

  The objective is the sum of the replicas' losses, each of which depends on every replica's `value`
  through the sum, so the gradient is the sum of the replicas' gradients. The strategy's own
  `all_reduce` defines it as a `tf.custom_gradient`, which does not find the variables of replicas
  in a graph.
  """
  (total,) = cross_replica_sums([tf.stop_gradient(value)])
  with tf.get_default_graph().gradient_override_map({'IdentityN': _NAME}):
    return tf.identity_n([tf.stop_gradient(total), value])[0]


def cross_replica_mean(value: tf.Tensor) -> tf.Tensor:
  """Returns the mean of a tensor over all replicas, with its gradient."""
  return cross_replica_sum(value) / tf.distribute.get_strategy().num_replicas_in_sync


@tf.RegisterGradient(_NAME)
def _cross_replica_sum_gradient(
  op: tf.Operation, grad: tf.Tensor, unused_grad: tf.Tensor
) -> tuple[None, tf.Tensor]:
  return None, cross_replica_sum(grad)


def _reduce(strategy: tf.distribute.Strategy, values: list[tf.Tensor]) -> list[tf.Tensor]:
  return strategy.extended.batch_reduce_to(
    tf.distribute.ReduceOp.SUM, [(value, value) for value in values]
  )
