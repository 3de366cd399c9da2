"""TensorFlow checkpoints of our own: find, verify, compare, restore."""

import logging
import math
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from vgg_slim.checkpoints import prefixes
from vgg_slim.compat import tf
from vgg_slim.errors import CheckpointError, DamagedCheckpointError
from vgg_slim.ops.scopes import is_under

AVERAGE_SUFFIX = '/ExponentialMovingAverage'  # TensorFlow's name of a variable's average
_SHOWN = 5
_ERRORS = (ValueError, RuntimeError, IndexError, tf.errors.OpError)

_logger = logging.getLogger(__name__)


class Damage(NamedTuple):
  """A checkpoint that is not whole, and why."""

  checkpoint: str
  reason: str

  def __str__(self) -> str:
    return f'{self.checkpoint} is damaged: {self.reason}'


class Search(NamedTuple):
  """What a folder holds.

  Attributes:
    newest: prefix of the newest checkpoint that is whole, or None.
    passed_over: the newer ones, which are damaged, newest first.
  """

  newest: str | None
  passed_over: tuple[Damage, ...]


def search(folder: str) -> Search:
  """Looks for the newest whole checkpoint in `folder`; reads all of each that it considers."""
  passed_over = []
  for prefix in prefixes.list_candidates(folder):
    reason = find_damage(prefix)
    if reason is None:
      return Search(prefix, tuple(passed_over))
    passed_over.append(Damage(prefix, reason))
  return Search(None, tuple(passed_over))


def find(path: str) -> str | None:
  """The checkpoint that `path` means, or None; warns of every damaged one that it passes over.

  Args:
    path: a prefix, one of a checkpoint's files, or a folder, for its newest checkpoint that is
      whole.

  Raises:
    CheckpointError: the folder holds damaged checkpoints only.
  """
  if not os.path.isdir(path):
    return prefixes.find_prefix(path)
  found = search(path)
  if found.newest is None and found.passed_over:
    damages = '; '.join(map(str, found.passed_over))
    raise DamagedCheckpointError(f'{path} holds no checkpoint that is whole: {damages}.')
  for damage in found.passed_over:
    _logger.warning('%s. %s is taken.', damage, found.newest)
  return found.newest


def find_damage(checkpoint: str) -> str | None:
  """Why `checkpoint` is not whole, in a few words, or None if it is.

  Sizes are compared first; then every tensor is read, which compares its bytes with the checksum in
  the index.
  """
  paths = prefixes.list_files(checkpoint)
  is_v1 = paths == [pathlib.Path(checkpoint)]
  if not is_v1 and not any(path.suffix == '.index' for path in paths):
    return 'its index is missing'
  if not is_v1 and len(paths) == 1:
    return 'its data file is missing'
  try:
    reader = tf.train.NewCheckpointReader(checkpoint)
    needed = _num_bytes(reader)
  except _ERRORS as error:
    # After a general sentence about corrupt files.
    return f'its index cannot be read ({_first_line(error).rpartition(": ")[2]})'
  stored = sum(path.stat().st_size for path in paths if path.suffix != '.index')
  if stored < needed and not is_v1:
    return f'its data file has {stored} bytes and not {needed}'
  for name in sorted(reader.get_variable_to_shape_map()):
    try:
      reader.get_tensor(name)
    except _ERRORS:
      return f'the bytes of {name} do not match their checksum'
  return None


def check_whole(checkpoint: str) -> None:
  """Raises DamagedCheckpointError if `checkpoint` is damaged."""
  reason = find_damage(checkpoint)
  if reason is not None:
    raise DamagedCheckpointError(f'{Damage(checkpoint, reason)}.')


def restore(saver: tf.train.Saver, session: tf.Session, checkpoint: str) -> None:
  """Restores what `saver` knows.

  Raises:
    DamagedCheckpointError: the checkpoint is damaged, or was removed meanwhile.
  """
  try:
    saver.restore(session, checkpoint)
  except (ValueError, tf.errors.OpError) as error:
    raise DamagedCheckpointError(
      f'{checkpoint} cannot be read: {find_damage(checkpoint) or _first_line(error)}.'
    ) from error


def global_step(checkpoint: str) -> int:
  """The step at which `checkpoint` was written.

  Raises:
    CheckpointError: it cannot be read, or holds no step.
  """
  reader = _open(checkpoint)
  if not reader.has_tensor('global_step'):
    raise CheckpointError(f'{checkpoint} holds no global_step.')
  try:
    return int(reader.get_tensor('global_step'))
  except (IndexError, RuntimeError, tf.errors.OpError) as error:
    raise DamagedCheckpointError(
      f'{checkpoint} cannot be read: {find_damage(checkpoint) or _first_line(error)}.'
    ) from error


def shapes(checkpoint: str) -> dict[str, list[int]]:
  """Shapes of all that `checkpoint` holds, by name.

  Raises:
    CheckpointError: it cannot be read.
  """
  return _open(checkpoint).get_variable_to_shape_map()


def stored_names(
  variables: Sequence[tf.Variable], averages: bool = False
) -> dict[str, tf.Variable]:
  """The names under which a checkpoint holds `variables`, or their moving averages."""
  suffix = AVERAGE_SUFFIX if averages else ''
  return {f'{variable.op.name}{suffix}': variable for variable in variables}


def check_fits(
  checkpoint: str, variables: Mapping[str, tf.Variable], of_any_length: str | None = None
) -> None:
  """Raises CheckpointError that lists what `checkpoint` lacks or has in another shape.

  Args:
    checkpoint: its prefix.
    variables: by their names in the checkpoint, see `stored_names`.
    of_any_length: scope of lists whose length may be another; None for no such scope.
  """
  stored = shapes(checkpoint)
  problems = []
  for name, variable in variables.items():
    shape = variable.shape.as_list()
    if name not in stored:
      problems.append(f'{name} is missing')
    elif stored[name] != shape and not (of_any_length and is_under(name, [of_any_length])):
      problems.append(f'{name} has shape {stored[name]}, the network {shape}')
  if problems:
    more = f' and {len(problems) - _SHOWN} more' if len(problems) > _SHOWN else ''
    raise CheckpointError(
      f'{checkpoint} is of another network: {"; ".join(problems[:_SHOWN])}{more}.'
    )


def inference_names(checkpoint: str, variables: Sequence[tf.Variable]) -> dict[str, tf.Variable]:
  """`stored_names`, of the moving averages where `checkpoint` holds them, checked to fit.

  Raises:
    CheckpointError: it cannot be read, or see `check_fits`.
  """
  averages = any(name.endswith(AVERAGE_SUFFIX) for name in shapes(checkpoint))
  names = stored_names(variables, averages)
  check_fits(checkpoint, names)
  return names


def _open(checkpoint: str) -> tf.train.NewCheckpointReader:
  if not prefixes.list_files(checkpoint):
    raise CheckpointError(f'{checkpoint} cannot be read: there are no files {checkpoint}.*.')
  try:
    return tf.train.load_checkpoint(checkpoint)
  except _ERRORS as error:
    reason = find_damage(checkpoint) or _first_line(error)
    raise DamagedCheckpointError(f'{checkpoint} cannot be read: {reason}.') from error


def _num_bytes(reader: tf.train.NewCheckpointReader) -> int:
  """What the numbers of a checkpoint take; strings, whose sizes the index does not say, count 0."""
  shapes_of, types = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
  return sum(
    math.prod(shape) * types[name].size
    for name, shape in shapes_of.items()
    if types[name] != tf.string
  )


def _first_line(error: Exception) -> str:
  text = error.message if isinstance(error, tf.errors.OpError) else str(error)
  return text.partition('\n')[0].rstrip('.')
