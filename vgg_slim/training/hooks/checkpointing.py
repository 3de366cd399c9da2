"""A run's own checkpoints: the newest few, each with its contract, all of them on the disk.

A checkpoint is data, index and contract, written and synchronised with the disk in this order; only
then does the state file list it. A process that is killed, or a machine that loses power, therefore
leaves the checkpoints that were listed before, whole. Names in the state file are relative, and
nothing outside of the folder is removed.
"""

import os
import pathlib

from vgg_slim import files
from vgg_slim.checkpoints import contract, prefixes
from vgg_slim.compat import tf
from vgg_slim.configs.config import TrainConfig
from vgg_slim.errors import TrainingError
from vgg_slim.training import distribution
from vgg_slim.training.hooks import host_state
from vgg_slim.training.starts import Start

_SHOWN = 3
_ADVICE = 'a lower --learning_rate, or limit the gradients by --clip_gradient_norm'


class Checkpointer:
  """Writes checkpoints of all variables that stand in the graph when it is made.

  Attributes:
    saver: restores them.
  """

  def __init__(self, config: TrainConfig, folder: str, start: Start) -> None:
    """Adds a look for numbers that are not finite to the graph; takes over what `folder` holds.

    Args:
      config: of the run.
      folder: is given the checkpoints.
      start: what the run starts from.
    """
    self._folder, self._max_kept = folder, config.run.keep_checkpoints
    self._contract = contract.from_train_config(config)
    self._is_shared = tf.distribute.has_strategy()
    self.saver = tf.train.Saver(max_to_keep=None)
    self._are_finite = _build_looks()
    damaged = {damage.checkpoint for damage in start.passed_over}
    found = prefixes.list_candidates(folder)[::-1]
    self._kept = [prefix for prefix in found if prefix not in damaged]
    self._damaged = [prefix for prefix in found if prefix in damaged]

  def save(self, session: tf.Session, step: int) -> str:
    """Returns the new checkpoint's prefix.

    Raises:
      TrainingError: a variable is not finite, or the disk is full; nothing was saved.
    """
    self._check_finite(session, step)
    prefix = os.path.join(self._folder, f'{prefixes.RUN_NAME}-{step}')
    try:
      self._write(session, prefix)
    except (OSError, tf.errors.OpError) as error:
      prefixes.remove(prefix)
      prefixes.remove_litter(self._folder)
      # All workers take part in reading the variables.
      if self._is_shared and isinstance(error, distribution.WORKER_LOSSES):
        raise
      raise TrainingError(f'{prefix} cannot be written: {error}. {self._newest_text()}') from error
    self._kept = [*(one for one in self._kept if one != prefix), prefix]
    damaged, self._damaged = [one for one in self._damaged if one != prefix], []
    self._list_kept()
    for one in damaged:
      prefixes.remove(one)
    return prefix

  def repair(self) -> None:
    """Makes good what a killed or damaged run lacks beside its whole checkpoints.

    Their contracts are written again where they are damaged or missing, and the state file where it
    does not list all of them: the run may end at the newest, and not save another.
    """
    for path in map(contract.contract_path, self._kept):
      if contract.find_damage(path) is not None:
        contract.write_contract(path, self._contract)
    names = {os.path.basename(prefix) for prefix in self._kept}
    if names - set(prefixes.read_state(self._folder)):
      self._list_kept()

  def _list_kept(self) -> None:
    """Lists the newest checkpoints in the state file, and removes the others that were kept."""
    old, self._kept = self._kept[: -self._max_kept], self._kept[-self._max_kept :]
    prefixes.write_state(self._folder, [os.path.basename(one) for one in self._kept])
    for one in old:
      prefixes.remove(one)

  def describe_way_back(self, step: int) -> str:
    """What the user can do where the weights of `step` give a loss that is not finite."""
    newest = self._kept[-1] if self._kept else None
    if newest is None or not newest.endswith(f'-{step}'):
      return f'Give {_ADVICE}: the same command then goes on. {self._newest_text()}'
    if len(self._kept) == 1:
      return (
        f'{newest} holds the weights that lead there, and is the only checkpoint: start again with '
        f'--overwrite and {_ADVICE}.'
      )
    return (
      f'{newest} holds the weights that lead there, whatever the rate: remove {newest}.* and give '
      f'{_ADVICE}; the same command then goes on from {self._kept[-2]}.'
    )

  def _write(self, session: tf.Session, prefix: str) -> None:
    # The contract comes first, so that no checkpoint is ever without.
    contract.write_contract(contract.contract_path(prefix), self._contract)
    self.saver.save(session, prefix, write_meta_graph=False, write_state=False)
    for file in prefixes.list_files(prefix):
      files.sync(file)
    files.sync(pathlib.Path(self._folder))

  def _check_finite(self, session: tf.Session, step: int) -> None:
    are_finite = session.run(self._are_finite)
    bad = [name for name, is_finite in are_finite.items() if not is_finite]
    if bad:
      more = f' and {len(bad) - _SHOWN} more' if len(bad) > _SHOWN else ''
      raise TrainingError(
        f'After step {step} these variables are not finite: {", ".join(bad[:_SHOWN])}{more}. '
        f'They were not saved. {self.describe_way_back(step)}'
      )

  def _newest_text(self) -> str:
    return f'The newest checkpoint is {self._kept[-1]}.' if self._kept else 'Nothing was saved yet.'


def _build_looks() -> dict[str, tf.Tensor]:
  """For each variable whose numbers are all finite in a sound run, whether they are; bool [].

  The counters of `host_state` may be infinite. Of several replicas this one's are looked at: the
  others might take no part.
  """
  local = tf.distribute.get_strategy().experimental_local_results
  with tf.name_scope('are_finite'):
    return {
      variable.op.name: tf.reduce_all(tf.math.is_finite(local(variable)[0]))
      for variable in tf.global_variables()
      if variable.dtype.is_floating and not variable.op.name.startswith(f'{host_state.SCOPE}/')
    }
