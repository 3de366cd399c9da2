"""The network of a checkpoint, built and filled by its contract alone."""

from vgg_slim.compat import tf
from vgg_slim.nets import registry
from vgg_slim.nets.outputs import NetOutputs
from vgg_slim.ops import cached_weights
from vgg_slim.weights import checkpoints
from vgg_slim.weights.contract import Contract, net_config


def build_network(
  contract: Contract,
  images: tf.Tensor,
  cache_dtype: tf.DType | None = None,
  fast_cpu_conv: bool = False,
) -> NetOutputs:
  """Adds the network, as it is outside of training, to the default graph.

  Args:
    contract: of the checkpoint.
    images: float32 [N, H, W, 3], normalised as the contract says; H and W may be unknown.
    cache_dtype: see `registry.build`; `restore` fills what is cached.
    fast_cpu_conv: see `registry.build`.
  """
  if contract.num_classes is None:
    return registry.build(
      contract.model,
      images,
      None,
      is_training=False,
      cache_dtype=cache_dtype,
      fast_cpu_conv=fast_cpu_conv,
    )
  return registry.build_from_config(
    net_config(contract),
    images,
    is_training=False,
    cache_dtype=cache_dtype,
    fast_cpu_conv=fast_cpu_conv,
  )


def restore(session: tf.Session, prefix: str) -> None:
  """Gives the network in the session's graph, and nothing else, the values of a checkpoint.

  Where training kept moving averages of the weights, these are taken.

  Raises:
    CheckpointError: it cannot be read or is of another network.
  """
  with session.graph.as_default():
    names = checkpoints.inference_names(prefix, tf.global_variables())
    tf.train.Saver(names).restore(session, prefix)
    cached_weights.fill(session)
