"""TensorFlow checkpoints of our own: find, compare, restore."""

from collections.abc import Mapping, Sequence

from vgg_slim.compat import tf
from vgg_slim.errors import CheckpointError
from vgg_slim.weights import prefixes

AVERAGE_SUFFIX = '/ExponentialMovingAverage'  # TensorFlow's name of a variable's average
_SHOWN = 5


def latest_checkpoint(train_dir: str) -> str | None:
  """Prefix of the newest checkpoint in `train_dir`, or None."""
  return prefixes.newest(train_dir)


def set_latest(folder: str, name: str) -> None:
  """Makes `name`, a checkpoint in `folder`, the one that `latest_checkpoint` finds there."""
  tf.train.update_checkpoint_state(folder, name)


def global_step(checkpoint: str) -> int:
  """The step at which `checkpoint` was written.

  Raises:
    CheckpointError: it cannot be read, or holds no step.
  """
  reader = _open(checkpoint)
  if not reader.has_tensor('global_step'):
    raise CheckpointError(f'{checkpoint} holds no global_step.')
  return int(reader.get_tensor('global_step'))


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


def check_fits(checkpoint: str, variables: Mapping[str, tf.Variable]) -> None:
  """Raises CheckpointError that lists what `checkpoint` lacks or has in another shape.

  Args:
    checkpoint: its prefix.
    variables: by their names in the checkpoint, see `stored_names`.
  """
  stored = shapes(checkpoint)
  problems = []
  for name, variable in variables.items():
    shape = variable.shape.as_list()
    if name not in stored:
      problems.append(f'{name} is missing')
    elif stored[name] != shape:
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
  except (ValueError, tf.errors.OpError, RuntimeError) as error:
    raise CheckpointError(f'{checkpoint} cannot be read: {error}') from error
