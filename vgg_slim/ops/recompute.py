"""Layers whose outputs are computed again in the backward pass instead of being kept.

Only the input of such a block stays in memory (Chen et al., arXiv:1604.06174). A block can also
process the batch part by part, in both passes, so that its layers never exist for the whole batch.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from vgg_slim.compat import slim, tf
from vgg_slim.ops.conv_gradient import fast_kernel_gradients
from vgg_slim.ops.scopes import is_under

_NAME = 'VggSlimRecomputed'
_BLOCKS = 'vgg_slim_recomputed_blocks'  # pairs of the name of an operation and its block

# Maps the input of a block to its output and to the output of every layer by name.
BuildFn = Callable[[tf.Tensor], tuple[tf.Tensor, dict[str, tf.Tensor]]]


def recompute(
  build_fn: BuildFn,
  inputs: tf.Tensor,
  parts: int = 1,
  trainable_scopes: Sequence[str] = (),
  needs_gradient: bool = True,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
  """Builds a block that keeps nothing but its input for the backward pass.

  `build_fn` is called again for the backward pass, with the same variables, arg scopes and fast
  gradients; what it adds to UPDATE_OPS then is removed, so that batch norm updates its moving
  averages once. What it draws at random must depend on a seed alone, see `layers.dropout_op`.

  Args:
    build_fn: function that adds the block to the default graph. With several parts, it must treat
      each image alone: no batch norm, no dropout.
    inputs: float [N, ...], input of the block.
    parts: number of equal parts of the batch, one of which is in memory at a time.
    trainable_scopes: scopes of the variables whose gradients are needed; empty for all variables.
    needs_gradient: whether the gradient of `inputs` is needed.

  Returns:
    The output of the block, and the outputs of its layers, which have no gradients.
  """
  used: dict[str, tf.Variable] = {}

  def record(getter: Callable[..., tf.Variable], *args: object, **keywords: object) -> tf.Variable:
    variable = getter(*args, **keywords)
    if variable.trainable:
      used[variable.name] = variable
    return variable

  scope = tf.get_variable_scope()
  with tf.variable_scope(scope, custom_getter=record, auxiliary_name_scope=False):
    outputs, end_points = _build_parts(build_fn, inputs, parts)
  variables = [
    variable
    for variable in used.values()
    if not trainable_scopes or is_under(variable.op.name, trainable_scopes)
  ]
  block = _Block(
    build_fn, inputs, parts, variables, needs_gradient, scope, slim.current_arg_scope()
  )
  graph = tf.get_default_graph()
  with graph.gradient_override_map({'IdentityN': _NAME}):
    # The gradient reaches inputs and variables through this operation and not through the layers.
    outputs = tf.identity_n([tf.stop_gradient(outputs), inputs, *variables])[0]
  tf.add_to_collection(_BLOCKS, (outputs.op.name, block))
  end_points = {name: tf.stop_gradient(values) for name, values in end_points.items()}
  return outputs, end_points


class _Block(NamedTuple):
  """What the backward pass of a block needs; see `recompute`."""

  build_fn: BuildFn
  inputs: tf.Tensor
  parts: int
  variables: Sequence[tf.Variable]
  needs_gradient: bool
  scope: tf.VariableScope
  arg_scope: dict

  def gradients(self, grad: tf.Tensor) -> list[tf.Tensor | None]:
    """Gradients of the inputs and of each variable, one part of the batch after the other."""
    parts = zip(_split(self.inputs, self.parts), _split(grad, self.parts), strict=True)
    inputs_gradients: list[tf.Tensor] = []
    sums: list[tf.Tensor] = []
    before = [grad]
    for piece, piece_grad in parts:
      # Without the dependency TensorFlow would compute the layers early, or merge them with those
      # of the forward pass. It also lets each part wait for the one before it.
      with tf.control_dependencies(before), self._as_built():
        start = tf.identity(piece)
        outputs, _ = self.build_fn(start)
      found = tf.gradients(
        outputs,
        [*self.variables, *[start][: self.needs_gradient]],
        [piece_grad],
        gate_gradients=True,
        stop_gradients=[start],
      )
      count = len(self.variables)
      inputs_gradients += found[count:]
      sums = [a + b for a, b in zip(sums, found, strict=False)] if sums else found[:count]
      before = [*sums, *found[count:]]
    return [_join(inputs_gradients) if self.needs_gradient else None, *sums]

  @contextlib.contextmanager
  def _as_built(self) -> Iterator[None]:
    updates = tf.get_collection_ref(tf.GraphKeys.UPDATE_OPS)
    count = len(updates)
    with (
      tf.variable_scope(self.scope, reuse=True, auxiliary_name_scope=False),
      slim.arg_scope(self.arg_scope),
      fast_kernel_gradients(),
    ):
      yield
    del updates[count:]


@tf.RegisterGradient(_NAME)
def _gradient(
  op: tf.Operation, grad: tf.Tensor, *unused_grads: tf.Tensor | None
) -> list[tf.Tensor | None]:
  blocks = dict(op.graph.get_collection(_BLOCKS))
  with tf.name_scope('recomputed'):
    return [None, *blocks[op.name].gradients(grad)]


def _build_parts(
  build_fn: BuildFn, inputs: tf.Tensor, parts: int
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
  """Builds the block for one part of the batch after the other."""
  if parts == 1:
    return build_fn(inputs)
  outputs: list[tf.Tensor] = []
  end_points: dict[str, list[tf.Tensor]] = {}
  for index, piece in enumerate(_split(inputs, parts)):
    with (
      tf.variable_scope(
        tf.get_variable_scope(), reuse=index > 0 or None, auxiliary_name_scope=False
      ),
      tf.name_scope(f'part_{index}'),
      tf.control_dependencies(outputs[-1:]),
    ):
      output, layers = build_fn(tf.identity(piece))
    outputs.append(output)
    for name, values in layers.items():
      end_points.setdefault(name, []).append(values)
  return _join(outputs), {name: _join(values) for name, values in end_points.items()}


def _split(values: tf.Tensor, parts: int) -> list[tf.Tensor]:
  return [values] if parts == 1 else tf.split(values, parts)


def _join(parts: Sequence[tf.Tensor]) -> tf.Tensor:
  return parts[0] if len(parts) == 1 else tf.concat(parts, 0)
