"""TensorFlow checkpoints: read in both formats (V1, one file; V2, `.index` and `.data-*`)."""

import os

from vgg_slim.checkpoints.search import AVERAGE_SUFFIX
from vgg_slim.compat import tf
from vgg_slim.errors import CheckpointError
from vgg_slim.weights.foreign import ForeignWeights, as_float32, is_bookkeeping, unreadable


def read(prefix: str) -> ForeignWeights:
  """Reads every variable but steps and optimizer slots; its moving average where there is one.

  Raises:
    CheckpointError: no checkpoint, cut off or damaged.
  """
  try:
    reader = tf.train.NewCheckpointReader(prefix)
    names = sorted(reader.get_variable_to_shape_map())
    skipped = tuple(name for name in names if is_bookkeeping(name))
    averages = {name.removesuffix(AVERAGE_SUFFIX): name for name in skipped}
    arrays = {
      name: reader.get_tensor(averages.get(name, name)) for name in names if name not in skipped
    }
  except (tf.errors.OpError, RuntimeError, ValueError, IndexError) as error:
    raise unreadable(prefix, 'a TensorFlow checkpoint', error) from error
  # A checkpoint of tf.train.Checkpoint stores objects, not variable names.
  if any(name.endswith('/.ATTRIBUTES/VARIABLE_VALUE') for name in arrays):
    raise CheckpointError(
      f'{prefix} is an object-based checkpoint of TensorFlow 2; expected one of tf.train.Saver, or '
      'the weights as Keras .weights.h5.'
    )
  version = 'V1' if os.path.isfile(prefix) else 'V2'
  return ForeignWeights(
    f'TensorFlow checkpoint {version}', 'slim', as_float32(prefix, arrays), skipped
  )
