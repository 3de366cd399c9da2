"""Reads torch state dicts from `.pth` files, which needs torch, and `.safetensors`.

Arrays keep their torch names: `features.0.weight`, `layer1.0.bn1.running_mean`.
"""

import pickle
from collections.abc import Mapping
from typing import Any

import numpy as np

from vgg_slim.errors import CheckpointError
from vgg_slim.weights.foreign import ForeignWeights, as_float32, is_bookkeeping, unreadable

_NESTED_IN = ('state_dict', 'model_state_dict', 'model', 'net')


def read_torch(path: str) -> ForeignWeights:
  """Reads a `.pth` or `.pt` file with `weights_only=True`, so that no code in it is run.

  Raises:
    CheckpointError: the file is truncated, damaged or not a state dict, or torch is not installed.
  """
  tensors = state_dict(path)
  arrays = {
    name: tensor.float().numpy() if tensor.is_floating_point() else tensor.numpy()
    for name, tensor in tensors.items()
  }
  return _foreign(path, 'torch .pth', arrays)


def state_dict(path: str) -> dict[str, Any]:
  """Returns the tensors of a `.pth` file by name, unwrapped from a training checkpoint.

  Raises:
    CheckpointError: see `read_torch`.
  """
  try:
    import torch
  except ImportError as error:
    raise CheckpointError(
      f'{path} is a torch file, and torch is not installed; expected torch (the extra '
      "'vgg_slim[torch]') or the same weights as .safetensors."
    ) from error
  try:
    loaded = torch.load(path, map_location='cpu', weights_only=True)
  except pickle.UnpicklingError as error:
    raise CheckpointError(
      f'{path} is not a plain state dict: it is damaged, or it holds other Python objects, which '
      'are not loaded because they can run any code; expected torch.save(model.state_dict(), FILE).'
    ) from error
  except (RuntimeError, OSError, EOFError, KeyError, ValueError) as error:
    raise unreadable(path, 'a torch file', error) from error
  for key in _NESTED_IN:
    if isinstance(loaded, Mapping) and isinstance(loaded.get(key), Mapping):
      loaded = loaded[key]
  tensors = {}
  if isinstance(loaded, Mapping):
    tensors = {name: value for name, value in loaded.items() if torch.is_tensor(value)}
  if not tensors:
    raise CheckpointError(
      f'{path} holds {type(loaded).__name__}, expected a state dict of tensors.'
    )
  return tensors


def read_safetensors(path: str) -> ForeignWeights:
  """Reads a `.safetensors` file with torch's names.

  Raises:
    CheckpointError: the file is truncated or damaged, or safetensors is not installed.
  """
  try:
    import safetensors
    import safetensors.numpy
  except ImportError as error:
    raise CheckpointError(
      f"{path} needs the package safetensors (the extra 'vgg_slim[torch]'), which is not installed."
    ) from error
  try:
    arrays = safetensors.numpy.load_file(path)
  except (safetensors.SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
    raise unreadable(path, 'a safetensors file', error) from error
  # The file is sorted by name or by size, not in the order of layers.
  return _foreign(path, 'safetensors', arrays, in_order=False)


def _foreign(
  path: str, kind: str, arrays: dict[str, np.ndarray], in_order: bool = True
) -> ForeignWeights:
  skipped = [name for name in arrays if is_bookkeeping(name)]
  kept = {name: array for name, array in arrays.items() if name not in skipped}
  return ForeignWeights(
    format=kind,
    framework='torch',
    arrays=as_float32(path, kept),
    skipped=tuple(skipped),
    channels_first=True,
    flattens_channels_first=True,
    dense_out_in=True,
    in_order=in_order,
  )
