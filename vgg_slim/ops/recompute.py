"""Layers whose outputs are computed again in the backward pass instead of being kept.

Only the input of such a block stays in memory (Chen et al., arXiv:1604.06174). A block can also
process the batch part by part, in both passes, so that its layers never exist for the whole batch.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from vgg_slim.compat import slim, tf
from vgg_slim.ops.fast_gradients import fast_gradients
from vgg_slim.scopes import is_under

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
    # Without the dependency TensorFlow would compute the layers early, or merge them with those
    # of the forward pass.
    with tf.control_dependencies([grad]):
      if self.parts == 1:
        to_inputs, found = self._gradients(self.inputs, grad)
        return [to_inputs, *found]
      first = tf.constant(0) + 0
    maps = tf.TensorArray(self.inputs.dtype, self.parts if self.needs_gradient else 0)

    def add_part(
      index: tf.Tensor, maps: tf.TensorArray, *sums: tf.Tensor
    ) -> tuple[tf.Tensor | tf.TensorArray, ...]:
      pieces = (_part(values, index, self.parts) for values in (self.inputs, grad))
      to_inputs, found = self._gradients(*pieces)
      if to_inputs is not None:
        maps = maps.write(index, to_inputs)
      return index + 1, maps, *(a + b for a, b in zip(sums, found, strict=True))

    zeros = (tf.zeros(variable.shape) for variable in self.variables)
    _, maps, *sums = tf.while_loop(
      lambda index, *_: index < self.parts,
      add_part,
      [first, maps, *zeros],
      parallel_iterations=1,
      back_prop=False,
    )
    return [_join(maps.stack(), self.inputs) if self.needs_gradient else None, *sums]

  def _gradients(
    self, inputs: tf.Tensor, grad: tf.Tensor
  ) -> tuple[tf.Tensor | None, list[tf.Tensor]]:
    with self._as_built():
      start = tf.identity(inputs)
      outputs, _ = self.build_fn(start)
    found = tf.gradients(
      outputs,
      [*self.variables, *[start][: self.needs_gradient]],
      [grad],
      gate_gradients=True,
      stop_gradients=[start],
    )
    count = len(self.variables)
    return found[count] if self.needs_gradient else None, found[:count]

  @contextlib.contextmanager
  def _as_built(self) -> Iterator[None]:
    updates = tf.get_collection_ref(tf.GraphKeys.UPDATE_OPS)
    count = len(updates)
    with (
      tf.variable_scope(self.scope, reuse=True, auxiliary_name_scope=False),
      slim.arg_scope(self.arg_scope),
      fast_gradients(),
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
  """Builds the block for one part of the batch after the other.

  In a loop: an operation takes 20 KiB of memory, and 16 parts of VGG16's stages would be 15,000.
  """
  # The layers of the whole batch create the variables. Nothing computes them in a step, except for
  # a histogram of their outputs.
  whole, end_points = build_fn(inputs)
  if parts == 1:
    return whole, end_points

  def build_part(index: tf.Tensor) -> tf.Tensor:
    with tf.variable_scope(tf.get_variable_scope(), reuse=True, auxiliary_name_scope=False):
      return build_fn(_part(inputs, index, parts))[0]

  outputs = tf.map_fn(
    build_part, tf.range(parts), fn_output_signature=whole.dtype, parallel_iterations=1
  )
  return _join(outputs, whole), end_points


def _part(values: tf.Tensor, index: tf.Tensor, parts: int) -> tf.Tensor:
  """One of `parts` equal parts of a batch [N, ...], which shares its memory if it is aligned."""
  size = values.shape[0]
  each = size // parts if size is not None else tf.shape(values)[0] // parts
  part = values[index * each : (index + 1) * each]
  part.set_shape([each if isinstance(each, int) else None, *values.shape[1:]])
  return part


def _join(stacked: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
  """Joins parts [parts, n, ...] to a batch with the shape of `like`."""
  joined = tf.reshape(stacked, tf.shape(like))
  joined.set_shape(like.shape)
  return joined
