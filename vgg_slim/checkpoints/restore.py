"""Builds the network of a checkpoint from its contract, and restores its weights."""

import dataclasses

from vgg_slim import sessions
from vgg_slim.checkpoints import search
from vgg_slim.checkpoints.contract import Contract, net_config
from vgg_slim.compat import tf
from vgg_slim.configs.runtime import RuntimeConfig
from vgg_slim.nets import registry
from vgg_slim.nets.mode import Inference
from vgg_slim.nets.outputs import NetOutputs
from vgg_slim.ops import cached_weights
from vgg_slim.preprocessing import graph


@dataclasses.dataclass(frozen=True)
class RestoredNetwork:
  """A network with the weights of a checkpoint, in a session of its own; a context manager.

  Attributes:
    checkpoint: prefix of the checkpoint.
    contract: contract of the checkpoint.
    images: placeholder, float32 [N, H, W, 3], RGB, 0..255; normalized in the graph.
    outputs: outputs of the network.
    session: session with the restored weights, closed at the end of the block.
  """

  checkpoint: str
  contract: Contract
  images: tf.Tensor
  outputs: NetOutputs
  session: tf.Session

  def __enter__(self) -> 'RestoredNetwork':
    return self

  def __exit__(self, *exception: object) -> None:
    self.session.close()


def open_network(
  checkpoint: str, contract: Contract, mode: Inference = Inference.fast()
) -> RestoredNetwork:
  """Builds a network in a new graph and restores its weights in a new session.

  Args:
    checkpoint: prefix of the checkpoint.
    contract: contract of the checkpoint.
    mode: how the network is computed, and with it the precision of the session.

  Raises:
    CheckpointError: the checkpoint cannot be read, is damaged or does not fit the network.
  """
  with tf.Graph().as_default():
    images = tf.placeholder(tf.float32, [None, None, None, 3], 'pixels')
    normalized = graph.network_input(images, contract.preprocessing)
    outputs = build_network(contract, normalized, mode)
    session = sessions.open_session(runtime=RuntimeConfig(mode.precision))
    restore(session, checkpoint)
  return RestoredNetwork(checkpoint, contract, images, outputs, session)


def build_network(
  contract: Contract, images: tf.Tensor, mode: Inference = Inference()
) -> NetOutputs:
  """Adds the network of a checkpoint to the default graph.

  Args:
    contract: contract of the checkpoint.
    images: float32 [N, H, W, 3], normalized according to the contract; H and W may be unknown.
    mode: mode of inference; `restore` fills its cached inference weights.
  """
  if contract.network.is_trunk:
    return registry.build(contract.network.model, images, None, mode)
  return registry.build_from_config(net_config(contract), images, mode)


def restore(session: tf.Session, prefix: str) -> None:
  """Restores all variables in the session's graph from a checkpoint.

  Moving averages of the weights are used where the checkpoint holds them.

  Raises:
    CheckpointError: the checkpoint cannot be read, is damaged or does not fit the network.
  """
  with session.graph.as_default():
    names = search.inference_names(prefix, tf.global_variables())
    search.restore(tf.train.Saver(names), session, prefix)
    cached_weights.fill(session)
