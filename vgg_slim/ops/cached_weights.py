"""Cached inference weights: folded batch norm, and kernels that are cast or transformed.

They follow from variables alone, so a graph that never trains computes them once after a restore
(`fill`) and not in every batch. Outside of training, batch norm is a scale and a shift of the
convolution below it, which the kernel and the bias of that convolution can absorb; and a kernel can
be kept in the precision or the form in which it is used. docs/performance.md says what this saves.
"""

from collections.abc import Sequence

from vgg_slim.compat import tf
from vgg_slim.errors import ConfigError

_COLLECTION = 'cached_weights'


def cache(value: tf.Tensor, kind: str, dtype: tf.DType = tf.float32) -> tf.Tensor:
  """Adds a variable to which `fill` assigns `value`; no checkpoint contains it.

  Networks that share their variables share what is cached of them, by variable scope, kind and
  dtype.

  Args:
    value: a tensor of known shape that depends on variables alone.
    kind: what the value is, such as 'winograd_kernel'. Values that are computed differently from
      the same variables need different kinds.
    dtype: the dtype of the cached value.

  Returns:
    the cached value, cast to the dtype of `value`. Grappler merges the cast with those of mixed
    precision.

  Raises:
    ConfigError: the scope has a cached value of this kind and dtype whose shape is another.
  """
  name = f'{tf.get_variable_scope().name}/cached_{kind}_{dtype.name}'.lstrip('/')
  cached = {variable.op.name: variable for variable in tf.get_collection(_COLLECTION)}
  variable = cached.get(name)
  if variable is None:
    # Not by get_variable, of whose results tf-slim makes model variables within a layer.
    with tf.name_scope(None):
      variable = tf.Variable(
        tf.cast(value, dtype), trainable=False, collections=[_COLLECTION], name=name
      )
  if variable.shape != value.shape:
    raise ConfigError(
      f'{name} is cached with shape {variable.shape.as_list()} and cannot also stand for a value '
      f'of shape {value.shape.as_list()}: values that differ need a kind each.'
    )
  return tf.cast(variable, value.dtype)


def fill(session: tf.Session) -> None:
  """Computes all cached weights of the session's graph from the current variables."""
  session.run([variable.initializer for variable in session.graph.get_collection(_COLLECTION)])


def freeze_kernels(
  session: tf.Session, output: tf.Tensor, inputs: Sequence[tf.Tensor] = ()
) -> tf.Tensor:
  """Copies what `output` needs, with constants for the kernels of convolutions.

  oneDNN packs a constant kernel in the first batch, one from a variable in every batch. Biases and
  fully-connected layers stay variables: nothing is packed for them.

  Args:
    session: its variables are read now; later changes of kernels are not seen.
    output: of the session's graph.
    inputs: placeholders that the copy shares.

  Returns:
    `output` of the copy, in the same graph.
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
