"""A run's own checkpoints: the newest few, each with its contract."""

import pathlib

from vgg_slim.compat import tf
from vgg_slim.config import TrainConfig
from vgg_slim.weights import contract

_CHECKPOINT = 'model.ckpt'


class Checkpointer:
  """Writes checkpoints of all variables that stand in the graph when it is made.

  Attributes:
    saver: restores them.
  """

  def __init__(self, config: TrainConfig, train_dir: str) -> None:
    """Takes over what an earlier process left, so that old checkpoints go."""
    self._train_dir = train_dir
    self._contract = contract.from_train_config(config)
    self.saver = tf.train.Saver(max_to_keep=config.run.keep_checkpoints)
    state = tf.train.get_checkpoint_state(train_dir)
    if state:
      self.saver.recover_last_checkpoints(state.all_model_checkpoint_paths)

  def save(self, session: tf.Session, step: int) -> str:
    """Returns the new checkpoint's prefix."""
    prefix = str(pathlib.Path(self._train_dir, _CHECKPOINT))
    # Before the checkpoint, so that none is ever without.
    contract.write_contract(contract.contract_path(f'{prefix}-{step}'), self._contract)
    checkpoint = self.saver.save(session, prefix, global_step=step, write_meta_graph=False)
    contract.remove_orphans(self._train_dir, _CHECKPOINT)
    return checkpoint
