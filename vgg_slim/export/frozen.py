"""Frozen GraphDef: one file with weights as constants; TFLite is converted from it."""

import contextlib
import functools
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from vgg_slim import sessions
from vgg_slim.checkpoints import restore
from vgg_slim.checkpoints.contract import Contract
from vgg_slim.compat import tf
from vgg_slim.errors import ConfigError
from vgg_slim.export.serving_graph import IMAGES, build_outputs
from vgg_slim.nets import summary
from vgg_slim.nets.mode import Inference

FILE = 'frozen_graph.pb'

MOST_BYTES = 2**31 - 1  # of a protocol buffer, and of a FlatBuffer

_KERNEL_RANK = 4


class Skeleton(NamedTuple):
  """A frozen graph in which each kernel is a placeholder of its own.

  Attributes:
    graph_def: the graph.
    kernels: functions that read the values of the placeholders, float32 [h, w, in, out], by name.
  """

  graph_def: tf.GraphDef
  kernels: dict[str, Callable[[], np.ndarray]]


def freeze(
  prefix: str,
  contract: Contract,
  shape: Sequence[int | None] = (None, None, None, 3),
  outputs: Sequence[str] | None = None,
) -> tf.GraphDef:
  """Returns the graph with the placeholder `images`, float32, RGB, 0..255.

  Batch norm is folded into the convolutions.

  Args:
    prefix: prefix of the checkpoint.
    contract: contract of the checkpoint.
    shape: shape [N, H, W, 3] of `images`, with None for free axes.
    outputs: names of the output operations, from `list_outputs`; all of them by default.

  Raises:
    CheckpointError: the checkpoint cannot be read or does not fit the network.
    ConfigError: the weights take more than MOST_BYTES.
  """
  with _restored(prefix, contract, shape) as (session, graph_def, built):
    return tf.graph_util.convert_variables_to_constants(session, graph_def, list(outputs or built))


@contextlib.contextmanager
def open_skeleton(prefix: str, contract: Contract) -> Iterator[Skeleton]:
  """Yields the graph of `freeze` without its kernels, which can be read within the block.

  Raises:
    CheckpointError: the checkpoint cannot be read or does not fit the network.
    ConfigError: the weights take more than MOST_BYTES.
  """
  with _restored(prefix, contract, (None, None, None, 3)) as (session, graph_def, built):
    names = _cut_kernels(graph_def, session.graph)
    frozen = tf.graph_util.convert_variables_to_constants(session, graph_def, built)
    kernels: dict[str, Callable[[], np.ndarray]] = {
      node.name: functools.partial(session.run, f'{node.name}:0')
      for node in frozen.node
      if node.name in names
    }
    yield Skeleton(frozen, kernels)


def _cut_kernels(graph_def: tf.GraphDef, graph: tf.Graph) -> set[str]:
  """Replaces the first read of each kernel by a placeholder; returns the names of these."""
  first: dict[str, str] = {}  # by the name of the variable
  for node in graph_def.node:
    if node.op != 'ReadVariableOp':
      continue
    shape = graph.get_tensor_by_name(f'{node.name}:0').shape
    if shape.rank != _KERNEL_RANK:
      continue
    source, dtype = first.setdefault(node.input[0], node.name), node.attr['dtype'].type
    del node.input[:]
    node.ClearField('attr')
    if source == node.name:
      node.op = 'Placeholder'
      node.attr['dtype'].type = dtype
      node.attr['shape'].shape.CopyFrom(shape.as_proto())
    else:
      node.op = 'Identity'
      node.input.append(source)
      node.attr['T'].type = dtype
  return set(first.values())


@contextlib.contextmanager
def _restored(
  prefix: str, contract: Contract, shape: Sequence[int | None]
) -> Iterator[tuple[tf.Session, tf.GraphDef, list[str]]]:
  """Yields a session with the weights, the graph without operations of the restore, and outputs."""
  with tf.Graph().as_default() as graph, sessions.open_session() as session:
    images = tf.placeholder(tf.float32, shape, IMAGES)
    built = build_outputs(contract, images, Inference.export())
    _check_size(prefix, tf.global_variables())
    graph_def = graph.as_graph_def()
    restore.restore(session, prefix)
    yield session, graph_def, list(built)


def _check_size(prefix: str, variables: Sequence[tf.Variable]) -> None:
  size = sum(variable.shape.num_elements() * variable.dtype.size for variable in variables)
  if size > MOST_BYTES:
    raise ConfigError(
      f'The weights of {prefix} take {summary.format_bytes(size)}, and a file of this format holds '
      f'at most {summary.format_bytes(MOST_BYTES)}: export with --format=saved_model.'
    )


def write(prefix: str, contract: Contract, folder: pathlib.Path) -> None:
  """Writes FILE."""
  (folder / FILE).write_bytes(freeze(prefix, contract).SerializeToString())
