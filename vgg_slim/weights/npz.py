"""Reads and writes `.npz` archives of named arrays, without pickles. No TensorFlow."""

import pathlib

import numpy as np

from vgg_slim import array_archives
from vgg_slim.errors import CheckpointError
from vgg_slim.weights.foreign import ForeignWeights, as_float32, is_bookkeeping, unreadable

# The first VGG16 for TensorFlow, https://www.cs.toronto.edu/~frossard/post/vgg16.
_FROSSARD_KERNEL = 'conv1_1_W'
_FROSSARD_NOTE = (
  "input: the script of Frossard's vgg16_weights.npz, which has these names, feeds R, G, B minus "
  'the mean of --rgb_mean; leave --bgr out for it.'
)


def read(path: str) -> ForeignWeights:
  """Reads an archive whose names are ours (`vgg_16/conv1/conv1_1/weights`) or `conv1_1_W`.

  Raises:
    CheckpointError: the file is truncated or damaged, or an array in it is pickled.
  """
  arrays, skipped = {}, []
  name = ''
  try:
    with array_archives.open_arrays(pathlib.Path(path)) as loaded:
      for name in loaded:
        if is_bookkeeping(name):
          skipped.append(name)
        else:
          arrays[name] = loaded[name]
  except (OSError, ValueError) as error:
    if 'allow_pickle' in str(error):
      raise CheckpointError(
        f'{path}, array {name!r}, is pickled, and a pickle can run any code; expected one plain '
        'array per variable.'
      ) from error
    raise unreadable(path, 'an .npz archive', error) from error
  note = _FROSSARD_NOTE if _FROSSARD_KERNEL in arrays else ''
  return ForeignWeights('.npz', 'npz', as_float32(path, arrays), tuple(skipped), input_note=note)


def write_weights(path: str, arrays: dict[str, np.ndarray]) -> None:
  """Writes `arrays` by name, uncompressed, because trained weights hardly compress."""
  with open(path, 'wb') as file:
    np.savez(file, **arrays)  # type: ignore[arg-type]  # taken for allow_pickle
