"""Products with large kernels whose gradient is never held as a whole.

The gradient of rows i:j of a kernel is `inputs[:, i:j]^T @ grad`. The gradient of `product` leaves
it to the update, which computes and applies it rows by rows (`update_rows`). Who needs
the whole gradient, to clip it or to add it to others, uses the tensor that `fill` returns.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from vgg_slim.compat import tf
from vgg_slim.ops import block_sizes

_NAME = 'VggSlimBlockwise'
_PRODUCTS = 'vgg_slim_blockwise_products'  # pairs of the name of an operation and its product
_PENDING = 'vgg_slim_blockwise_pending'  # gradients that `fill` has not given out yet
_GRADIENTS = 'vgg_slim_blockwise_gradients'  # pairs of the name of a whole gradient and its factors


def product(inputs: tf.Tensor, weights: tf.Variable, dtype: tf.DType = tf.float32) -> tf.Tensor:
  """The matrix product of `inputs` with the rows of a kernel.

  Its gradient gives that of `inputs` alone: `fill` adds that of the kernel, after `tf.gradients`.

  Args:
    inputs: float32 [N, rows].
    weights: float32 [..., n_out], kernel with as many rows in all.
    dtype: dtype of the multiplication. In bfloat16 the kernel is cast block by block, so that its
      copy does not exist as a whole either.

  Returns:
    float32 [N, n_out].
  """
  kernel = _Kernel(weights, dtype)
  outputs = kernel.multiply(inputs)
  with tf.get_default_graph().gradient_override_map({'IdentityN': _NAME}):
    # The gradient reaches the inputs through this operation and not through the product.
    outputs = tf.identity_n([tf.stop_gradient(outputs), inputs])[0]
  tf.add_to_collection(_PRODUCTS, (outputs.op.name, kernel))
  return outputs


class _Kernel(NamedTuple):
  variable: tf.Variable
  dtype: tf.DType

  @property
  def shape(self) -> list[int]:
    return self.variable.shape.as_list()

  def rows(self) -> tf.Tensor:
    """The kernel as a matrix, which shares the memory of the variable."""
    return tf.reshape(self.variable.read_value(), [-1, self.shape[-1]])

  def multiply(self, inputs: tf.Tensor) -> tf.Tensor:
    if self.dtype == tf.float32:
      return tf.matmul(inputs, self.rows())
    # Blocks of columns, since a sum over blocks of rows would be rounded once for each block.
    each, low = block_sizes.columns(self.shape), tf.cast(inputs, self.dtype)

    def multiply_block(index: tf.Tensor) -> tf.Tensor:
      columns = self.rows()[:, index * each : (index + 1) * each]
      return tf.matmul(low, tf.cast(columns, self.dtype))

    return self._join(multiply_block, self.shape[-1], each)

  def multiply_transposed(self, grad: tf.Tensor) -> tf.Tensor:
    """Gradient of the inputs; as einsum, see `fast_gradients`."""
    if self.dtype == tf.float32:
      with tf.control_dependencies([grad]):
        return tf.einsum('nk,ck->nc', grad, self.rows())
    each, low = block_sizes.rows(self.shape), tf.cast(grad, self.dtype)

    def multiply_block(index: tf.Tensor) -> tf.Tensor:
      rows = self.rows()[index * each : (index + 1) * each]
      return tf.einsum('nk,ck->nc', low, tf.cast(rows, self.dtype))

    return self._join(multiply_block, math.prod(self.shape[:-1]), each)

  def _join(
    self, multiply_block: Callable[[tf.Tensor], tf.Tensor], width: int, each: int
  ) -> tf.Tensor:
    """Computes one block of `each` columns after the other, and joins all `width` as float32."""
    blocks = tf.map_fn(
      multiply_block,
      tf.range(width // each),
      fn_output_signature=self.dtype,
      parallel_iterations=1,
    )
    joined = tf.reshape(tf.transpose(blocks, [1, 0, 2]), [-1, width])
    return tf.cast(joined, tf.float32)


class KernelGradient(NamedTuple):
  """The gradient of a kernel as the product of two factors.

  Attributes:
    kernel: the kernel.
    inputs: float32 [N, rows], inputs of the product.
    grad: float32 [N, n_out], gradient of its outputs.
    inputs_gradient: float32 [N, rows], whose computation is the last to read the kernel.
  """

  kernel: _Kernel
  inputs: tf.Tensor
  grad: tf.Tensor
  inputs_gradient: tf.Tensor

  def whole(self) -> tf.Tensor:
    """The gradient, float32 of the kernel's shape."""
    return tf.reshape(self.of_rows(0, None), self.kernel.variable.shape)

  def of_rows(self, start: int | tf.Tensor, end: int | tf.Tensor | None) -> tf.Tensor:
    """Gradient of the kernel's rows from `start` to before `end`, float32 [rows, n_out]."""
    inputs, grad = (
      tf.cast(values, self.kernel.dtype) for values in (self.inputs[:, start:end], self.grad)
    )
    return tf.cast(tf.matmul(inputs, grad, transpose_a=True), tf.float32)


def fill(
  gradients: Sequence[tuple[tf.Tensor | None, tf.Variable]],
) -> list[tuple[tf.Tensor | None, tf.Variable]]:
  """Adds the gradients that the products since the last call left out.

  Args:
    gradients: pairs of gradient and variable, as `tf.gradients` finds them.
  """
  pending = tf.get_collection_ref(_PENDING)
  left_out: dict[str, list[tf.Tensor]] = {}
  for each in pending:
    whole = each.whole()
    tf.add_to_collection(_GRADIENTS, (whole.op.name, each))
    left_out.setdefault(each.kernel.variable.name, []).append(whole)
  pending.clear()

  def complete(gradient: tf.Tensor | None, variable: tf.Variable) -> tf.Tensor | None:
    found = [*([] if gradient is None else [gradient]), *left_out.get(variable.name, [])]
    return tf.add_n(found) if len(found) > 1 else next(iter(found), None)

  return [(complete(gradient, variable), variable) for gradient, variable in gradients]


def find(gradient: tf.Tensor) -> KernelGradient | None:
  """The factors of a gradient that `fill` added; None for any other, and for sums with others."""
  return dict(tf.get_collection(_GRADIENTS)).get(gradient.op.name)


@tf.RegisterGradient(_NAME)
def _gradient(
  op: tf.Operation, grad: tf.Tensor, *unused_grads: tf.Tensor | None
) -> list[tf.Tensor | None]:
  kernel, inputs = dict(op.graph.get_collection(_PRODUCTS))[op.name], op.inputs[1]
  inputs_gradient = kernel.multiply_transposed(grad)
  tf.add_to_collection(_PENDING, KernelGradient(kernel, inputs, grad, inputs_gradient))
  return [None, inputs_gradient]


class Rows(NamedTuple):
  """Some rows of a kernel, of its gradient, and of variables of the same shape; see `update_rows`.

  Attributes:
    gradient: their gradient, float32 [rows, n_out].
    values: their values in each variable, float32 [rows, n_out].
  """

  gradient: tf.Tensor
  values: list[tf.Tensor]


def update_rows(
  gradient: KernelGradient,
  variables: Sequence[tf.Variable],
  update_fn: Callable[[Rows], Sequence[tf.Tensor]],
) -> tf.Operation:
  """Updates variables of the kernel's shape, one block of rows after the other, in place.

  Nothing is copied as long as no other reader holds a variable's memory; a reader that does, such
  as a summary, keeps the values of before.

  Args:
    gradient: gradient of the kernel.
    variables: the kernel and its slots.
    update_fn: function that returns the new values of each variable's rows.
  """
  shape = gradient.kernel.shape
  each = block_sizes.rows(shape)

  def update_block(index: tf.Tensor) -> tf.Tensor:
    start, end = index * each, (index + 1) * each
    # Reshaping and slicing rows share the memory of the variable.
    values = [
      tf.reshape(variable.read_value(), [-1, shape[-1]])[start:end] for variable in variables
    ]
    updated = update_fn(Rows(gradient.of_rows(start, end), values))
    # An assignment copies the whole variable while one of its rows is still to be read.
    with tf.control_dependencies(list(updated)):
      written = [
        _assign_rows(variable, start, tf.ensure_shape(rows, [each, shape[-1]]))
        for variable, rows in zip(variables, updated, strict=True)
      ]
    with tf.control_dependencies(written):
      return index + 1

  # A loop, since 57 blocks of VGG16 would be 2,000 operations of 20 KiB each.
  with tf.control_dependencies([gradient.inputs_gradient]):
    start = tf.constant(0) + 0
  count = math.prod(shape[:-1]) // each
  return tf.while_loop(
    lambda index: index < count, update_block, [start], parallel_iterations=1, back_prop=False
  ).op


def _assign_rows(variable: tf.Variable, start: tf.Tensor, rows: tf.Tensor) -> tf.Operation:
  """Writes rows in place, and leaves the variable as it was, in that reads share its memory."""
  *outer, channels, n_out = variable.shape.as_list()
  corner = [start % channels, 0]
  start //= channels
  for length in reversed(outer):
    corner.insert(0, start % length)
    start //= length
  size = [*[1] * len(outer), int(rows.shape[0]), n_out]
  corner = tf.stack(corner)
  written = tf.raw_ops.ResourceStridedSliceAssign(
    ref=variable.handle,
    begin=corner,
    end=corner + size,
    strides=[1] * len(size),
    value=tf.reshape(rows, size),
  )
  # Assignments to a part of a variable make each later read copy all of it.
  with tf.control_dependencies([written]):
    return tf.raw_ops.DisableCopyOnRead(resource=variable.handle)
