"""Combines a trained head with its trunk into one ordinary checkpoint."""

from collections.abc import Mapping

import numpy as np

from vgg_slim import sessions
from vgg_slim.checkpoints import restore, search, staging
from vgg_slim.checkpoints.contract import Contract, contract_path, write_contract
from vgg_slim.compat import tf
from vgg_slim.features.cache import FeatureKey
from vgg_slim.features.head_config import HeadConfig


def make_contract(key: FeatureKey, config: HeadConfig, trunk: Contract) -> Contract:
  """Makes the contract of the network whose head was trained on the features of `key`.

  Args:
    key: key of the features.
    config: config of the head.
    trunk: contract of the trunk; where neither trunk nor head saw mirror images, the contract says
      so, and evaluation takes none.
  """
  net = config.complete(key.trunk, len(key.class_names))
  flips = trunk.random_flip or key.passes > 1  # passes after the first are augmented
  return Contract(net.network, key.preprocessing, key.class_names, random_flip=flips)


def write_combined_checkpoint(
  prefix: str,
  trunk_checkpoint: str,
  weights: Mapping[str, np.ndarray],
  step: int,
  contract: Contract,
) -> None:
  """Writes a checkpoint of the whole network, and its contract.

  Args:
    prefix: prefix of the new checkpoint.
    trunk_checkpoint: prefix of the checkpoint that the features were extracted with.
    weights: arrays of the head by variable name, including the scope of the network.
    step: number of training steps that made them.
    contract: contract of the whole network.

  Raises:
    CheckpointError: the checkpoint of the trunk cannot be read or does not fit the network.
    ConfigError: a checkpoint exists at `prefix`.
  """
  staging.check_checkpoint_is_free(prefix)
  with tf.Graph().as_default():
    side = contract.network.image_size
    restore.build_network(contract, tf.zeros([1, side, side, 3]))
    variables = {variable.op.name: variable for variable in tf.global_variables()}
    trunk = [variable for name, variable in variables.items() if name not in weights]
    global_step = tf.train.get_or_create_global_step()
    trunk_names = search.inference_names(trunk_checkpoint, trunk)
    with sessions.open_session() as session, staging.staged_checkpoint(prefix) as staged:
      search.restore(tf.train.Saver(trunk_names), session, trunk_checkpoint)
      for name, value in weights.items():
        variables[name].load(value, session)
      global_step.load(step, session)
      tf.train.Saver().save(session, staged, write_meta_graph=False, write_state=False)
      write_contract(contract_path(staged), contract)
