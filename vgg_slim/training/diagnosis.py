"""What stopped a training step, in one sentence."""

import contextlib
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from vgg_slim import sessions
from vgg_slim.compat import slim, tf
from vgg_slim.errors import DataError, TrainingError
from vgg_slim.training.graph import LOSS_CHECK

# What TensorFlow says of a picture that it cannot decode, and of a label beyond the classes.
_OF_THE_DATA = ('IteratorGetNext', 'Received a label value')


@contextlib.contextmanager
def data_explained(check_data: Callable[[], None]) -> Iterator[None]:
  """TensorFlow's errors of the input become ours, also while a session is opened.

  Args:
    check_data: reads all records, and raises DataError for the first that is damaged.

  Raises:
    DataError: a record is damaged, or its picture or label is not what it should be.
  """
  try:
    yield
  except tf.errors.DataLossError as error:
    check_data()
    raise DataError(f'A record is damaged: {_first_line(error)}') from error
  except tf.errors.InvalidArgumentError as error:
    if not any(words in error.message for words in _OF_THE_DATA):
      raise
    check_data()
    raise DataError(f'A picture cannot be trained on: {_first_line(error)}') from error


@contextlib.contextmanager
def explained(
  session: tf.Session,
  build_loss: Callable[[int], tuple[tf.Tensor, tf.Operation]],
  describe_way_back: Callable[[int], str],
) -> Iterator[None]:
  """TensorFlow's error of a loss that is not finite becomes ours.

  Args:
    session: of the training graph.
    build_loss: adds the forward pass of the step after `start_step` to the default graph; returns
      its loss and the operation that initialises its input.
    describe_way_back: says what the user can do where the weights of a step are the cause.

  Raises:
    TrainingError: the loss was not finite. The step is made again, with a look at every tensor.
  """
  try:
    yield
  except tf.errors.InvalidArgumentError as error:
    if LOSS_CHECK not in error.message:
      raise
    values = _network_values(session)
    step = int(values['global_step']) + 1
    cause = first_bad_tensor(lambda: build_loss(step - 1), values)
    raise TrainingError(
      f'The loss is not finite at step {step}: {cause}. Nothing of this step was saved. '
      f'{describe_way_back(step - 1)}'
    ) from error


def first_bad_tensor(
  build_loss: Callable[[], tuple[tf.Tensor, tf.Operation]], values: Mapping[str, np.ndarray]
) -> str:
  """Which tensor of a step is the first that is not finite, as words.

  Args:
    build_loss: adds a forward pass to the default graph; returns its loss, and the operation to
      run before.
    values: of its variables, by name.
  """
  for name, value in values.items():
    if not np.isfinite(value).all():
      return f'{name} was not finite before it, so that the step before went too far'
  with tf.Graph().as_default():
    loss, initializer = build_loss()
    tensors = [t for op in _needed(loss) for t in op.outputs if t.dtype.is_floating]
    checks = [tf.reduce_all(tf.math.is_finite(tensor)) for tensor in tensors]
    with sessions.open_session() as session:
      session.run([tf.global_variables_initializer(), initializer])
      for variable in tf.global_variables():
        variable.load(values[variable.op.name], session)
      are_finite = session.run(checks)
  for tensor, is_finite in zip(tensors, are_finite, strict=True):
    if not is_finite:
      return f'the first tensor that is not is {tensor.name}'
  return 'the same step made again was finite'


def _needed(tensor: tf.Tensor) -> list[tf.Operation]:
  """The operations that `tensor` is made of, in the order in which they were built."""
  found, todo = set(), [tensor.op]
  while todo:
    operation = todo.pop()
    if operation not in found:
      found.add(operation)
      todo.extend(source.op for source in operation.inputs)
  return [operation for operation in tensor.graph.get_operations() if operation in found]


def _network_values(session: tf.Session) -> dict[str, np.ndarray]:
  with session.graph.as_default():
    variables = [*slim.get_model_variables(), tf.train.get_global_step()]
    # A replica's own: the others' might be asked for nothing any more.
    local = tf.distribute.get_strategy().experimental_local_results
    variables = [local(variable)[0] for variable in variables]
  return {v.op.name: value for v, value in zip(variables, session.run(variables), strict=True)}


def _first_line(error: tf.errors.OpError) -> str:
  return error.message.splitlines()[0]
