"""Two training steps from the reference's weights, and how they differ from the reference's."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from benchmarks.gpu_check.rows import WrongResultError
from benchmarks.gpu_check.settings import AS_BUILT, Check
from vgg_slim import sessions
from vgg_slim.compat import slim, tf
from vgg_slim.configs.runtime import RuntimeConfig
from vgg_slim.training import graph
from vgg_slim.training.distribution import Distribution

_SLOT = '/Momentum'
# Larger gradients, which are those of fc6 and fc7 of VGG16, are not compared.
_MOST_NUMBERS = 3_000_000


class Tolerance(NamedTuple):
  """Largest allowed differences from the reference.

  Attributes:
    loss: difference of a loss, relative to the loss.
    gradient: norm of the difference of the gradient of a variable, over the gradient's norm.
  """

  loss: float
  gradient: float


class Steps(NamedTuple):
  """What two steps computed.

  Attributes:
    losses: cross-entropy before each update, float32 [2].
    gradients: gradient of the first step by variable, weight decay included: momentum after one
      step is nothing else, on however many devices and with whatever scale of the loss.
    kinds: number of convolutions and gradients of them that ran, by dtype and by data format.
    clusters: number of clusters that XLA compiled.
  """

  losses: np.ndarray
  gradients: dict[str, np.ndarray]
  kinds: dict[str, int]
  clusters: int


class Session(NamedTuple):
  """A session with the weights of the reference, see `open_training`."""

  session: tf.Session
  ops: graph.TrainOps
  images: tf.Tensor
  labels: tf.Tensor


Distribute = Callable[[tf.ConfigProto], Distribution]


def one_device(proto: tf.ConfigProto) -> Distribution:
  """A single replica, in a session of this config."""
  return Distribution(session_config=proto)


def take_steps(
  check: Check,
  model: str,
  runtime: RuntimeConfig = AS_BUILT,
  distribute: Distribute = one_device,
) -> Steps:
  """Takes two steps from the weights of `check.prefix(model)`.

  Args:
    check: sizes and files.
    model: name of the network.
    runtime: config of the session; threads and GPUs are those of the process.
    distribute: function that changes the config of the session, and returns the devices.
  """
  with open_training(check, model, runtime, distribute) as opened:
    session, ops, images, labels = opened
    metadata = tf.RunMetadata()
    options = tf.RunOptions(output_partition_graphs=True)
    batches = list(zip(check.images(), check.labels(), strict=True))
    losses = []
    for number, (pixels, classes) in enumerate(batches):
      first = {'options': options, 'run_metadata': metadata} if number == 0 else {}
      losses.append(session.run(ops.train_op, {images: pixels, labels: classes}, **first))
      if number == 0:
        gradients = session.run(_slots())
  nodes = [node for part in metadata.partition_graphs for node in _nodes(part)]
  return Steps(
    np.array(losses, np.float32),
    {name.removesuffix(_SLOT): value for name, value in gradients.items()},
    _count_kinds(nodes),
    sum('_XlaCompile' in node.op or node.op == 'XlaLaunch' for node in nodes),
  )


@contextlib.contextmanager
def open_training(
  check: Check,
  model: str,
  runtime: RuntimeConfig,
  distribute: Distribute = one_device,
  batch_size: int | None = None,
) -> Iterator[Session]:
  """Yields one session with the training graph and the weights of the reference."""
  config = check.train_config(model, runtime, batch_size)
  side = config.net.image_size
  with tf.Graph().as_default():
    tf.set_random_seed(0)
    distribution = distribute(sessions.session_config(runtime))
    with distribution.strategy.scope():
      images = tf.placeholder(tf.float32, [config.run.batch_size, side, side, 3])
      labels = tf.placeholder(tf.int32, [config.run.batch_size])
      ops = graph.build_train_graph(config, images, labels, 100.0, distribution)
      saver = tf.train.Saver(slim.get_model_variables())
      with tf.train.SingularMonitoredSession(config=distribution.session_config) as monitored:
        session = monitored.raw_session()
        saver.restore(session, check.prefix(model))
        yield Session(session, ops, images, labels)


def compare(check: Check, model: str, steps: Steps, tolerance: Tolerance) -> dict[str, Any]:
  """Compares steps with those of the reference; returns the differences for the JSON file.

  Args:
    check: sizes and files.
    model: name of the network.
    steps: the steps.
    tolerance: largest allowed differences.

  Raises:
    WrongResultError: a difference is larger, or not a number.
  """
  with np.load(check.numbers) as numbers:
    expected = {name: numbers[name] for name in numbers.files}
  losses = expected[f'{model}:losses']
  loss_error = float(np.max(np.abs(steps.losses / losses - 1)))
  errors = {}
  for name, gradient in steps.gradients.items():
    reference = expected[f'{model}:{name}']
    errors[name] = float(np.linalg.norm(gradient - reference) / np.linalg.norm(reference))
  worst = max(errors, key=lambda name: np.nan_to_num(errors[name], nan=np.inf))
  values = {
    'losses': steps.losses.tolist(),
    'reference_losses': losses.tolist(),
    'loss_error': loss_error,
    'gradient_error': errors[worst],
    'worst_gradient': worst,
    'median_gradient_error': float(np.median(list(errors.values()))),
    'tolerance': tolerance._asdict(),
    'convolutions': steps.kinds,
  }
  text = (
    f'losses differ by {loss_error:.1e} (allowed: {tolerance.loss:g}), gradients by up to '
    f'{errors[worst]:.1e} ({tolerance.gradient:g})'
  )
  if not (loss_error <= tolerance.loss and errors[worst] <= tolerance.gradient):
    raise WrongResultError(f'{text} (the worst is {worst}; convolutions: {steps.kinds})')
  return {'reason': text, **values}


def reference_numbers(model: str, steps: Steps) -> Mapping[str, np.ndarray]:
  """The arrays with which `compare` compares."""
  gradients = {f'{model}:{name}': value for name, value in steps.gradients.items()}
  return {f'{model}:losses': steps.losses, **gradients}


def _slots() -> dict[str, tf.Variable]:
  return {
    variable.op.name: variable
    for variable in tf.global_variables()
    if variable.op.name.endswith(_SLOT) and variable.shape.num_elements() <= _MOST_NUMBERS
  }


def _nodes(part: Any) -> list[Any]:
  """The nodes of a graph and of its functions, such as the clusters of XLA."""
  return [*part.node, *(node for function in part.library.function for node in function.node_def)]


def _count_kinds(nodes: list[Any]) -> dict[str, int]:
  counts: dict[str, int] = {}
  for node in nodes:
    if 'Conv2D' not in node.op or 'T' not in node.attr:
      continue
    kinds = [tf.as_dtype(node.attr['T'].type).name]
    if 'data_format' in node.attr:
      kinds.append(node.attr['data_format'].s.decode())
    for kind in kinds:
      counts[kind] = counts.get(kind, 0) + 1
  return counts
