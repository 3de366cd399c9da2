"""Values that follow from variables alone, computed once after a restore and not in every batch.

For graphs that never train. There batch norm is a scale and a shift of the convolution below it,
which its kernel and bias can take in; and kernels can be kept in the precision they are used in.
`fill` computes them; docs/performance.md says what they save.
"""

from collections.abc import Sequence

from vgg_slim.compat import tf

_COLLECTION = 'held_values'


def hold(value: tf.Tensor, name: str, dtype: tf.DType = tf.float32) -> tf.Tensor:
  """Adds a variable to which `fill` gives the value of `value`; it is in no checkpoint.

  Args:
    value: of variables alone, of known shape.
    name: in the variable scope; a second call with the same shares the first one's variable.
    dtype: what it is kept in.

  Returns:
    the held value in the dtype of `value`. Grappler merges the cast with those of mixed precision.
  """
  full_name = f'{tf.get_variable_scope().name}/{name}'.lstrip('/')
  held = {variable.op.name: variable for variable in tf.get_collection(_COLLECTION)}
  variable = held.get(full_name)
  if variable is None:
    # Not by get_variable, of whose results tf-slim makes model variables within a layer.
    with tf.name_scope(None):
      variable = tf.Variable(
        tf.cast(value, dtype), trainable=False, collections=[_COLLECTION], name=full_name
      )
  return tf.cast(variable, value.dtype)


def fill(session: tf.Session) -> None:
  """Computes all held values of the session's graph from the variables as they are now."""
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
