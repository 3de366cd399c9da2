"""Weight decay: which variables are decayed, and the loss that decays them.

The optimizer 'adamw' decays the same variables in its update, without the loss.
"""

from collections.abc import Iterable, Sequence

from vgg_slim.compat import tf

# Last component of a variable's name, for each kind of `OptimizerConfig.weight_decay_on`.
_NAMES = {'weights': ('weights',), 'biases': ('biases',), 'batch_norm': ('gamma', 'beta')}
KINDS = tuple(_NAMES)


def select(variables: Iterable[tf.Variable], kinds: Sequence[str]) -> list[tf.Variable]:
  """Returns the variables of the given kinds: kernels first, then the others, in their order.

  Args:
    variables: variables of the layers of `slim_layers` or `layers`.
    kinds: some of KINDS.
  """
  names = {name for kind in kinds for name in _NAMES[kind]}
  decayed = [variable for variable in variables if _last_name(variable) in names]
  return sorted(decayed, key=lambda variable: _last_name(variable) not in _NAMES['weights'])


def add_losses(factor: float, kinds: Sequence[str]) -> None:
  """Decays the variables under the current variable scope through the regularization losses.

  Adds factor * sum(v**2) / 2 of each selected variable. A network that is built again in a scope
  with `reuse` adds nothing.
  """
  scope = tf.get_variable_scope()
  if not factor or scope.reuse:
    return
  for variable in select(tf.trainable_variables(f'{scope.name}/'), kinds):
    with tf.name_scope(f'{variable.op.name}/regularizer'):
      loss = tf.multiply(factor, tf.nn.l2_loss(variable), name='l2')
    tf.add_to_collection(tf.GraphKeys.REGULARIZATION_LOSSES, loss)


def _last_name(variable: tf.Variable) -> str:
  return variable.op.name.rpartition('/')[2]
