"""Finds, verifies, compares and restores this project's TensorFlow checkpoints."""

import logging
import math
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from vgg_slim import op_errors
from vgg_slim.checkpoints import index_file, prefixes
from vgg_slim.compat import tf
from vgg_slim.errors import CheckpointError, DamagedCheckpointError
from vgg_slim.scopes import is_under
from vgg_slim.wording import listed

AVERAGE_SUFFIX = '/ExponentialMovingAverage'  # TensorFlow's suffix for a variable's moving average
_SHOWN = 5
_ERRORS = (ValueError, RuntimeError, IndexError, tf.errors.OpError)

_logger = logging.getLogger(__name__)


class Damage(NamedTuple):
  """A damaged checkpoint, and the reason why it counts as damaged."""

  checkpoint: str
  reason: str

  def __str__(self) -> str:
    return f'{self.checkpoint} is damaged: {self.reason}'


class Search(NamedTuple):
  """The result of a search for checkpoints in a folder.

  Attributes:
    newest: prefix of the newest intact checkpoint, or None.
    skipped: newer checkpoints, which are damaged, newest first.
  """

  newest: str | None
  skipped: tuple[Damage, ...]


def search(folder: str) -> Search:
  """Finds the newest intact checkpoint in `folder`; reads every checkpoint that it considers."""
  skipped: list[Damage] = []
  for prefix in prefixes.list_candidates(folder):
    reason = find_damage(prefix)
    if reason is None:
      return Search(prefix, tuple(skipped))
    skipped.append(Damage(prefix, reason))
  return Search(None, tuple(skipped))


def find(path: str) -> str | None:
  """Returns the prefix of the checkpoint at `path`, or None; warns of damaged newer ones.

  Args:
    path: a prefix, one of a checkpoint's files, or a folder, which stands for its newest intact
      checkpoint.

  Raises:
    CheckpointError: all checkpoints in the folder are damaged.
  """
  if not os.path.isdir(path):
    return prefixes.find_prefix(path)
  result = search(path)
  if result.newest is None and result.skipped:
    damages = '; '.join(map(str, result.skipped))
    raise DamagedCheckpointError(f'{path} holds no intact checkpoint: {damages}.')
  for damage in result.skipped:
    _logger.warning('%s. Using %s instead.', damage, result.newest)
  return result.newest


def find_damage(checkpoint: str) -> str | None:
  """Returns the reason why `checkpoint` counts as damaged, or None if it is intact.

  Sizes are compared first; then every tensor is read, which verifies its checksum in the index.

  Raises:
    CheckpointError: TensorFlow finds no checkpoint in such a path, see `prefixes.check_path`.
  """
  prefixes.check_path(checkpoint)
  # Links may lead nowhere.
  paths = [path for path in prefixes.list_files(checkpoint) if path.exists()]
  is_v1 = paths == [pathlib.Path(checkpoint)]
  if not is_v1 and not any(path.suffix == '.index' for path in paths):
    return 'its index is missing'
  if not is_v1 and len(paths) == 1:
    return 'its data file is missing'
  try:
    reader = open_reader(checkpoint)
    needed = _num_bytes(reader)
  except _ERRORS as error:
    # TensorFlow puts the reason after a general sentence about corrupt files.
    return f'its index cannot be read ({_reason(error).rpartition(": ")[2]})'
  stored = sum(path.stat().st_size for path in paths if path.suffix != '.index')
  if stored < needed and not is_v1:
    return f'its data file has {stored} bytes instead of {needed}'
  for name in sorted(reader.get_variable_to_shape_map()):
    try:
      reader.get_tensor(name)
    except _ERRORS:
      return f'the bytes of {name} do not match their checksum'
  return None


def check_intact(checkpoint: str) -> None:
  """Raises DamagedCheckpointError if `checkpoint` is damaged."""
  reason = find_damage(checkpoint)
  if reason is not None:
    raise DamagedCheckpointError(f'{Damage(checkpoint, reason)}.')


def restore(saver: tf.train.Saver, session: tf.Session, checkpoint: str) -> None:
  """Restores the variables of `saver`.

  Raises:
    DamagedCheckpointError: the checkpoint is damaged or has been removed.
  """
  try:
    saver.restore(session, checkpoint)
  except (ValueError, tf.errors.OpError) as error:
    raise DamagedCheckpointError(
      f'{checkpoint} cannot be read: {find_damage(checkpoint) or _reason(error)}.'
    ) from error


def global_step(checkpoint: str) -> int:
  """Returns the step at which `checkpoint` was written.

  Raises:
    CheckpointError: the checkpoint cannot be read or holds no step.
  """
  reader = _open(checkpoint)
  if not reader.has_tensor('global_step'):
    raise CheckpointError(f'{checkpoint} holds no global_step.')
  try:
    return int(reader.get_tensor('global_step'))
  except (IndexError, RuntimeError, tf.errors.OpError) as error:
    raise DamagedCheckpointError(
      f'{checkpoint} cannot be read: {find_damage(checkpoint) or _reason(error)}.'
    ) from error


def shapes(checkpoint: str) -> dict[str, list[int]]:
  """Returns the shapes of all variables in `checkpoint`, by name.

  Raises:
    CheckpointError: the checkpoint cannot be read.
  """
  return _open(checkpoint).get_variable_to_shape_map()


def stored_names(
  variables: Sequence[tf.Variable], averages: bool = False
) -> dict[str, tf.Variable]:
  """Returns `variables` by their names, or their averages' names, in a checkpoint."""
  suffix = AVERAGE_SUFFIX if averages else ''
  return {f'{variable.op.name}{suffix}': variable for variable in variables}


def check_fits(
  checkpoint: str, variables: Mapping[str, tf.Variable], of_any_length: str | None = None
) -> None:
  """Raises CheckpointError listing the variables that `checkpoint` lacks or has in another shape.

  Args:
    checkpoint: prefix of the checkpoint.
    variables: variables by their names in the checkpoint, see `stored_names`.
    of_any_length: scope of lists whose length may differ; None for no such scope.
  """
  stored = shapes(checkpoint)
  problems = []
  for name, variable in variables.items():
    shape = variable.shape.as_list()
    if name not in stored:
      problems.append(f'{name} is missing')
    elif stored[name] != shape and not (of_any_length and is_under(name, [of_any_length])):
      problems.append(f'{name} has shape {stored[name]}, expected {shape}')
  if problems:
    raise CheckpointError(
      f'{checkpoint} does not fit the network: {listed(problems, _SHOWN, "; ")}.'
    )


def inference_names(checkpoint: str, variables: Sequence[tf.Variable]) -> dict[str, tf.Variable]:
  """Returns `stored_names`, of the moving averages where `checkpoint` holds any, after a check.

  Raises:
    CheckpointError: the checkpoint cannot be read or does not fit, see `check_fits`.
  """
  averages = any(name.endswith(AVERAGE_SUFFIX) for name in shapes(checkpoint))
  names = stored_names(variables, averages)
  check_fits(checkpoint, names)
  return names


def open_reader(checkpoint: str) -> tf.train.NewCheckpointReader:
  """Opens the checkpoint with this prefix, in format V1 or V2.

  Raises:
    ValueError: the index would end the process, see `index_file`.
    RuntimeError: TensorFlow cannot read it, and raises this or another error of its own.
  """
  index = pathlib.Path(f'{checkpoint}.index')
  damage = index_file.find_damage(index) if index.is_file() else None
  if damage:
    raise ValueError(damage)
  return tf.train.NewCheckpointReader(checkpoint)


def _open(checkpoint: str) -> tf.train.NewCheckpointReader:
  prefixes.check_path(checkpoint)
  if not prefixes.list_files(checkpoint):
    raise CheckpointError(f'{checkpoint} cannot be read: there are no files {checkpoint}.*.')
  try:
    return open_reader(checkpoint)
  except _ERRORS as error:
    reason = find_damage(checkpoint) or _reason(error)
    raise DamagedCheckpointError(f'{checkpoint} cannot be read: {reason}.') from error


def _num_bytes(reader: tf.train.NewCheckpointReader) -> int:
  """Size of a checkpoint's numeric tensors; strings, whose sizes the index lacks, count as 0."""
  shapes_of, types = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
  return sum(
    math.prod(shape) * types[name].size
    for name, shape in shapes_of.items()
    if types[name] != tf.string
  )


def _reason(error: Exception) -> str:
  if isinstance(error, tf.errors.OpError):
    return op_errors.reason(error)
  return str(error).partition('\n')[0].rstrip('.')
