"""Cached inference weights: folded batch norm, and kernels that are cast or transformed.

They depend on variables alone, so a graph that never trains computes them once after a restore
(`fill`) instead of in every batch. Outside training, batch norm scales and shifts the output of the
convolution below it, which can be folded into the kernel and bias of that convolution. A kernel can
also be kept in the precision or form in which it is used. docs/performance.md has measurements.
"""

from collections.abc import Sequence

from vgg_slim.compat import tf
from vgg_slim.errors import ConfigError

_COLLECTION = 'cached_weights'


def cache(value: tf.Tensor, kind: str, dtype: tf.DType = tf.float32) -> tf.Tensor:
  """Adds a variable to which `fill` assigns `value`; it is not saved in checkpoints.

  Networks that share variables also share cached values, by variable scope, kind and dtype.

  Args:
    value: tensor of known shape that depends on variables alone.
    kind: name for the kind of value, such as 'winograd_kernel'. Values that are computed
      differently from the same variables need different kinds.
    dtype: dtype of the cached value.

  Returns:
    The cached value, cast to the dtype of `value`. Grappler merges the cast with those of mixed
    precision.

  Raises:
    ConfigError: the scope has a cached value of this kind and dtype with another shape.
  """
  name = f'{tf.get_variable_scope().name}/cached_{kind}_{dtype.name}'.lstrip('/')
  cached = {variable.op.name: variable for variable in tf.get_collection(_COLLECTION)}
  variable = cached.get(name)
  if variable is None:
    # Not with get_variable, whose results tf-slim turns into model variables within a layer.
    with tf.name_scope(None):
      variable = tf.Variable(
        tf.cast(value, dtype), trainable=False, collections=[_COLLECTION], name=name
      )
  if variable.shape != value.shape:
    raise ConfigError(
      f'{name} is cached with shape {variable.shape.as_list()} and cannot also hold a value of '
      f'shape {value.shape.as_list()}: use different kinds for different values.'
    )
  return tf.cast(variable, value.dtype)


def fill(session: tf.Session) -> None:
  """Computes all cached weights of the session's graph from the current variables."""
  session.run([variable.initializer for variable in session.graph.get_collection(_COLLECTION)])


def freeze_kernels(
  session: tf.Session, output: tf.Tensor, inputs: Sequence[tf.Tensor] = ()
) -> tf.Tensor:
  """Copies the subgraph of `output`, replacing the kernels of convolutions by constants.

  oneDNN packs constant kernels once, in the first batch, but kernels from variables in every batch.
  Biases and fully-connected layers are not packed and remain variables.

  Args:
    session: session whose variables are read now; later changes of kernels have no effect.
    output: tensor in the session's graph.
    inputs: placeholders that the copy shares.

  Returns:
    The copy of `output`, in the same graph.
  """
  graph = session.graph
  kernels = [_variable(op.inputs[1].op) for op in graph.get_operations() if op.type == 'Conv2D']
  frozen = tf.graph_util.convert_variables_to_constants(
    session,
    graph.as_graph_def(),
    [output.op.name],
    variable_names_whitelist={op.name for op in kernels if op},
  )
  with graph.as_default():
    shared = {tensor.name: tensor for tensor in inputs}
    return tf.import_graph_def(frozen, shared, [output.name], name='frozen_kernels')[0]


def _variable(op: tf.Operation) -> tf.Operation | None:
  while op.type in ('Cast', 'Identity', 'ReadVariableOp'):
    op = op.inputs[0].op
  return op if op.type == 'VarHandleOp' else None
