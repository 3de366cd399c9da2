"""Reads TensorFlow checkpoints of both formats (V1, one file; V2, `.index` and `.data-*`)."""

import os

from vgg_slim.checkpoints import prefixes
from vgg_slim.checkpoints.search import AVERAGE_SUFFIX, open_reader
from vgg_slim.compat import tf
from vgg_slim.errors import CheckpointError
from vgg_slim.weights.foreign import ForeignWeights, as_float32, is_bookkeeping, unreadable


def read(prefix: str) -> ForeignWeights:
  """Reads all variables except training state, with their moving averages where there are any.

  Raises:
    CheckpointError: the file is not a checkpoint, or is truncated or damaged, or TensorFlow finds
      none in such a path.
  """
  prefixes.check_path(prefix)
  try:
    reader = open_reader(prefix)
    names = sorted(reader.get_variable_to_shape_map())
    skipped = tuple(name for name in names if is_bookkeeping(name))
    averages = {name.removesuffix(AVERAGE_SUFFIX): name for name in skipped}
    arrays = {
      name: reader.get_tensor(averages.get(name, name)) for name in names if name not in skipped
    }
  except (tf.errors.OpError, RuntimeError, ValueError, IndexError) as error:
    raise unreadable(prefix, 'a TensorFlow checkpoint', error) from error
  # tf.train.Checkpoint stores the paths of objects, not the names of variables.
  if any(name.endswith('/.ATTRIBUTES/VARIABLE_VALUE') for name in arrays):
    raise CheckpointError(
      f'{prefix} is an object-based checkpoint of TensorFlow 2; expected one of tf.train.Saver, or '
      'the weights as Keras .weights.h5.'
    )
  version = 'V1' if os.path.isfile(prefix) else 'V2'
  return ForeignWeights(
    f'TensorFlow checkpoint {version}', 'slim', as_float32(prefix, arrays), skipped
  )
