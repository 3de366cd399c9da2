"""Reads and writes `.npz` archives of named arrays, without pickles. No TensorFlow."""

import zipfile

import numpy as np

from vgg_slim.errors import CheckpointError
from vgg_slim.weights.foreign import ForeignWeights, as_float32, is_bookkeeping, unreadable

_HOW_TO_CONVERT = (
  "if you trust the file, numpy.savez('NAME.npz', **{f'{layer}_{part}': array for layer, arrays "
  "in numpy.load(FILE, allow_pickle=True, encoding='latin1').item().items() for part, array in "
  "zip('Wb', arrays)}) converts it"
)


def read(path: str) -> ForeignWeights:
  """Reads an archive whose names are ours (`vgg_16/conv1/conv1_1/weights`) or `conv1_1_W`.

  Raises:
    CheckpointError: the file is truncated, damaged, pickled or a single `.npy` array.
  """
  arrays, skipped = {}, []
  name = ''
  try:
    # NumPy does not close a file that it opened itself and cannot read.
    with open(path, 'rb') as file:
      loaded = np.load(file, allow_pickle=False)
      if isinstance(loaded, np.ndarray):
        raise CheckpointError(
          f'{path} holds one array {list(loaded.shape)} without names; expected an .npz with one '
          'array per variable.'
        )
      for name in loaded.files:
        if is_bookkeeping(name):
          skipped.append(name)
        else:
          arrays[name] = loaded[name]
  except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
    if isinstance(error, CheckpointError):
      raise
    if 'allow_pickle' in str(error):
      subject = f'{path}, array {name!r},' if name else path
      raise CheckpointError(
        f'{subject} is pickled, and a pickle can run any code; expected plain arrays: '
        f'{_HOW_TO_CONVERT}.'
      ) from error
    raise unreadable(path, 'an .npz archive', error) from error
  return ForeignWeights('.npz', 'npz', as_float32(path, arrays), tuple(skipped))


def write_weights(path: str, arrays: dict[str, np.ndarray]) -> None:
  """Writes `arrays` by name, uncompressed, because trained weights hardly compress."""
  with open(path, 'wb') as file:
    np.savez(file, **arrays)  # type: ignore[arg-type]  # taken for allow_pickle
