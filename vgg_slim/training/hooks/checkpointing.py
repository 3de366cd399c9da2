"""The checkpoints of a run: the newest few, each with its contract, all synced to disk.

A checkpoint consists of contract, data and index, which are all written and synced to disk before
the state file lists it. If the process is killed or the machine loses power, all checkpoints that
were listed before are therefore still intact. The state file holds relative names, and nothing
outside the folder is ever removed.
"""

import os
import pathlib

from vgg_slim import files, op_errors
from vgg_slim.checkpoints import contract, prefixes
from vgg_slim.compat import tf
from vgg_slim.configs.config import TrainConfig
from vgg_slim.errors import TrainingError
from vgg_slim.training import distribution
from vgg_slim.training.hooks import host_state
from vgg_slim.training.starts import Start
from vgg_slim.wording import listed

_SHOWN = 3
_SAME_COMMAND = 'the same command, without --overwrite,'
_ADVICE = 'a lower --learning_rate, or limit the gradients with --clip_gradient_norm'


class Checkpointer:
  """Writes checkpoints of all variables that are in the graph when it is constructed.

  Attributes:
    saver: saver that restores the variables.
  """

  def __init__(self, config: TrainConfig, folder: str, start: Start) -> None:
    """Adds a check for non-finite variables to the graph, and lists the checkpoints in `folder`.

    Args:
      config: config of the run.
      folder: folder for the checkpoints.
      start: checkpoint from which the run starts, and damaged ones that it skipped.
    """
    self._folder, self._max_kept = folder, config.run.keep_checkpoints
    self._contract = contract.from_train_config(config)
    self._is_shared = tf.distribute.has_strategy()
    self.saver = tf.train.Saver(max_to_keep=None)
    self._are_finite = _build_finite_checks()
    damaged = {damage.checkpoint for damage in start.skipped}
    oldest_first = prefixes.list_candidates(folder)[::-1]
    self._kept = [prefix for prefix in oldest_first if prefix not in damaged]
    self._damaged = [prefix for prefix in oldest_first if prefix in damaged]

  def save(self, session: tf.Session, step: int) -> str:
    """Saves a checkpoint and returns its prefix.

    Raises:
      TrainingError: a variable is not finite, or the files cannot be written; nothing was saved.
    """
    self._check_finite(session, step)
    prefix = os.path.join(self._folder, f'{prefixes.RUN_NAME}-{step}')
    try:
      self._write(session, prefix)
    except (OSError, tf.errors.OpError) as error:
      prefixes.remove(prefix)
      prefixes.remove_leftovers(self._folder)
      # Reading the variables is a collective operation, which fails when a worker is lost.
      if self._is_shared and isinstance(error, distribution.WORKER_LOSSES):
        raise
      why = op_errors.reason(error) if op_errors.is_op_error(error) else str(error)
      why = why.rpartition('; ')[2]  # after the name of a temporary file
      raise TrainingError(f'{prefix} cannot be written: {why}. {self._newest_text()}') from error
    self._kept = [*(kept for kept in self._kept if kept != prefix), prefix]
    damaged, self._damaged = [other for other in self._damaged if other != prefix], []
    self._list_kept()
    for other in damaged:
      prefixes.remove(other)
    return prefix

  def repair(self) -> None:
    """Restores missing or damaged files that belong to intact checkpoints.

    A contract is written again where it is damaged or missing, and the state file where it does not
    list every intact checkpoint. The run may already be at its end and save no other checkpoint.
    """
    for path in map(contract.contract_path, self._kept):
      if contract.find_damage(path) is not None:
        contract.write_contract(path, self._contract)
    names = {os.path.basename(prefix) for prefix in self._kept}
    if names - set(prefixes.read_state(self._folder)):
      self._list_kept()

  def _list_kept(self) -> None:
    """Lists the newest checkpoints in the state file, and removes the older ones."""
    old, self._kept = self._kept[: -self._max_kept], self._kept[-self._max_kept :]
    prefixes.write_state(self._folder, [os.path.basename(prefix) for prefix in self._kept])
    for prefix in old:
      prefixes.remove(prefix)

  def describe_recovery(self, step: int) -> str:
    """What the user can do when the weights of `step` give a loss that is not finite."""
    newest = self._kept[-1] if self._kept else None
    if newest is None or not newest.endswith(f'-{step}'):
      return f'Give {_ADVICE}: {_SAME_COMMAND} then resumes the run. {self._newest_text()}'
    if len(self._kept) == 1:
      return (
        f'{newest} holds the weights that lead to this, and is the only checkpoint: start again '
        f'with --overwrite and {_ADVICE}.'
      )
    return (
      f'{newest} holds the weights that lead to this at any learning rate: remove {newest}.* and '
      f'give {_ADVICE}; {_SAME_COMMAND} then resumes from {self._kept[-2]}.'
    )

  def _write(self, session: tf.Session, prefix: str) -> None:
    # The contract comes first, so that no checkpoint ever lacks one.
    contract.write_contract(contract.contract_path(prefix), self._contract)
    self.saver.save(session, prefix, write_meta_graph=False, write_state=False)
    for file in prefixes.list_files(prefix):
      files.sync(file)
    files.sync(pathlib.Path(self._folder))

  def _check_finite(self, session: tf.Session, step: int) -> None:
    are_finite = session.run(self._are_finite)
    bad = [name for name, is_finite in are_finite.items() if not is_finite]
    if bad:
      raise TrainingError(
        f'After step {step} these variables are not finite: {listed(bad, _SHOWN)}. '
        f'They were not saved. {self.describe_recovery(step)}'
      )

  def _newest_text(self) -> str:
    return (
      f'The newest checkpoint is {self._kept[-1]}.'
      if self._kept
      else 'No checkpoint has been saved yet.'
    )


def _build_finite_checks() -> dict[str, tf.Tensor]:
  """Whether all values of a variable are finite, bool [], by variable name.

  Counters of `host_state` are left out, since they may be infinite. Of mirrored variables only the
  local copy is read, which needs no other worker.
  """
  local = tf.distribute.get_strategy().experimental_local_results
  with tf.name_scope('are_finite'):
    return {
      variable.op.name: tf.reduce_all(tf.math.is_finite(local(variable)[0]))
      for variable in tf.global_variables()
      if variable.dtype.is_floating and not variable.op.name.startswith(f'{host_state.SCOPE}/')
    }
