"""Frozen GraphDef: one file with weights as constants; ONNX and TFLite are converted from it."""

import pathlib
from collections.abc import Sequence

from vgg_slim import sessions
from vgg_slim.checkpoints import restore
from vgg_slim.checkpoints.contract import Contract
from vgg_slim.compat import tf
from vgg_slim.export.serving_graph import IMAGES, build_outputs
from vgg_slim.nets.mode import Inference

FILE = 'frozen_graph.pb'


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
  """
  with tf.Graph().as_default() as graph, sessions.open_session() as session:
    images = tf.placeholder(tf.float32, shape, IMAGES)
    built = build_outputs(contract, images, Inference.export())
    graph_def = graph.as_graph_def()
    restore.restore(session, prefix)
    return tf.graph_util.convert_variables_to_constants(session, graph_def, list(outputs or built))


def write(prefix: str, contract: Contract, folder: pathlib.Path) -> None:
  """Writes FILE."""
  (folder / FILE).write_bytes(freeze(prefix, contract).SerializeToString())
