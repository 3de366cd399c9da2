"""Explains in one sentence why a training step failed."""

import contextlib
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from vgg_slim import op_errors, sessions
from vgg_slim.compat import slim, tf
from vgg_slim.errors import DataError, TrainingError
from vgg_slim.training.graph import LOSS_CHECK

# Parts of TensorFlow's messages about an image that cannot be decoded and a label out of range.
_DATA_ERRORS = ('IteratorGetNext', 'Received a label value')


@contextlib.contextmanager
def explain_data_errors(check_data: Callable[[], None]) -> Iterator[None]:
  """Translates TensorFlow's errors about the input, also those of opening a session.

  Args:
    check_data: function that reads all records and raises DataError for the first damaged one.

  Raises:
    DataError: a record is damaged, or its image or label is invalid.
  """
  try:
    yield
  except tf.errors.DataLossError as error:
    check_data()
    raise DataError(f'A record is damaged: {op_errors.reason(error)}') from error
  except tf.errors.InvalidArgumentError as error:
    if not any(text in error.message for text in _DATA_ERRORS):
      raise
    check_data()
    raise DataError(f'An image cannot be used for training: {op_errors.reason(error)}') from error


@contextlib.contextmanager
def explain_non_finite_loss(
  session: tf.Session,
  build_loss: Callable[[int], tuple[tf.Tensor, tf.Operation]],
  describe_recovery: Callable[[int], str],
) -> Iterator[None]:
  """Translates TensorFlow's error about a loss that is not finite.

  Args:
    session: session of the training graph.
    build_loss: function that adds the forward pass of the step after the given one to the default
      graph; returns its loss and the operation that initializes its input.
    describe_recovery: function that says what the user can do if the weights of the given step are
      the cause.

  Raises:
    TrainingError: the loss is not finite. The step is repeated to find the first tensor that is
      not.
  """
  try:
    yield
  except tf.errors.InvalidArgumentError as error:
    if LOSS_CHECK not in error.message:
      raise
    values = _network_values(session)
    step = int(values['global_step']) + 1
    cause = describe_first_non_finite(lambda: build_loss(step - 1), values)
    raise TrainingError(
      f'The loss is not finite at step {step}: {cause}. Nothing of this step was saved. '
      f'{describe_recovery(step - 1)}'
    ) from error


def describe_first_non_finite(
  build_loss: Callable[[], tuple[tf.Tensor, tf.Operation]], values: Mapping[str, np.ndarray]
) -> str:
  """Describes the first tensor of a step that is not finite.

  Args:
    build_loss: function that adds a forward pass to the default graph; returns its loss, and the
      operation to run before it.
    values: values of the variables after the step, which changed none that the loss needs, by
      variable name.
  """
  with tf.Graph().as_default():
    loss, initializer = build_loss()
    needed = _needed(loss)
    # This leaves out moving statistics of batch norm, which the failed step may have updated.
    for name in [v.op.name for v in tf.global_variables() if v.op in needed]:
      if not np.isfinite(values[name]).all():
        return f'{name} was not finite before this step, so the previous update was too large'
    tensors = [t for op in needed for t in op.outputs if t.dtype.is_floating]
    checks = [tf.reduce_all(tf.math.is_finite(tensor)) for tensor in tensors]
    with sessions.open_session() as session:
      session.run([tf.global_variables_initializer(), initializer])
      for variable in tf.global_variables():
        variable.load(values[variable.op.name], session)
      are_finite = session.run(checks)
  for tensor, is_finite in zip(tensors, are_finite, strict=True):
    if not is_finite:
      return f'the first tensor that is not finite is {tensor.name}'
  return 'the loss was finite when the step was repeated'


def _needed(tensor: tf.Tensor) -> list[tf.Operation]:
  """The operations that compute `tensor`, in the order in which they were built."""
  visited, todo = set(), [tensor.op]
  while todo:
    operation = todo.pop()
    if operation not in visited:
      visited.add(operation)
      todo.extend(source.op for source in operation.inputs)
  return [operation for operation in tensor.graph.get_operations() if operation in visited]


def _network_values(session: tf.Session) -> dict[str, np.ndarray]:
  with session.graph.as_default():
    variables = [*slim.get_model_variables(), tf.train.get_global_step()]
    # Only local copies: another worker may no longer answer.
    local = tf.distribute.get_strategy().experimental_local_results
    variables = [local(variable)[0] for variable in variables]
  return {v.op.name: value for v, value in zip(variables, session.run(variables), strict=True)}
