"""Builds the network of a checkpoint from its contract, and restores its weights."""

from vgg_slim.checkpoints import search
from vgg_slim.checkpoints.contract import Contract, net_config
from vgg_slim.compat import tf
from vgg_slim.nets import registry
from vgg_slim.nets.mode import Inference
from vgg_slim.nets.outputs import NetOutputs
from vgg_slim.ops import cached_weights


def build_network(
  contract: Contract, images: tf.Tensor, mode: Inference = Inference()
) -> NetOutputs:
  """Adds the network of a checkpoint to the default graph.

  Args:
    contract: contract of the checkpoint.
    images: float32 [N, H, W, 3], normalized according to the contract; H and W may be unknown.
    mode: mode of inference; `restore` fills its cached inference weights.
  """
  if contract.num_classes is None:
    return registry.build(contract.model, images, None, mode)
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
