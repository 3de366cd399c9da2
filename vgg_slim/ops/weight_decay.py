"""Weight decay: which variables are decayed, and the loss that decays them.

The optimizer 'adamw' decays the same variables in its update, without the loss.
"""

from collections.abc import Iterable, Sequence

from vgg_slim.compat import tf
from vgg_slim.ops.scopes import plain_name

# Last component of a variable's name, for each kind of `OptimizerConfig.weight_decay_on`.
_NAMES = {'weights': ('weights',), 'biases': ('biases',), 'batch_norm': ('gamma', 'beta')}
KINDS = tuple(_NAMES)
# Names of the variables of a graph that have a loss.
_DECAYED = 'vgg_slim_decayed_variables'


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

  Adds factor * sum(v**2) / 2 of each selected variable, once for each variable as in tf-slim: a
  network that is built again with the same variables adds nothing.
  """
  if not factor:
    return
  decayed = set(tf.get_collection(_DECAYED))
  variables = tf.trainable_variables(f'{tf.get_variable_scope().name}/')
  for variable in select(variables, kinds):
    if variable.op.name in decayed:
      continue
    tf.add_to_collection(_DECAYED, variable.op.name)
    with tf.name_scope(f'{variable.op.name}/regularizer'):
      loss = tf.multiply(factor, tf.nn.l2_loss(variable), name='l2')
    tf.add_to_collection(tf.GraphKeys.REGULARIZATION_LOSSES, loss)


def _last_name(variable: tf.Variable) -> str:
  return plain_name(variable).rpartition('/')[2]
