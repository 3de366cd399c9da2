"""Reads and writes torch state dicts: `.pth` files, which needs torch, and `.safetensors`.

Arrays keep their torch names: `features.0.weight`, `layer1.0.bn1.running_mean`. Only the `module.`
of DataParallel and the `_orig_mod.` of torch.compile are removed, wherever they are.
"""

import argparse
import importlib.util
import io
import pathlib
import pickle
import re
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from vgg_slim.errors import CheckpointError, ConfigError
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
  return _foreign(path, 'torch .pth', arrays, in_order=True)


def state_dict(path: str) -> dict[str, Any]:
  """Returns the tensors of a `.pth` file by name, unwrapped from a training checkpoint.

  Raises:
    CheckpointError: see `read_torch`.
  """
  try:
    import torch
  except ImportError as error:
    raise CheckpointError(
      f'{path} is a torch file, and torch is not installed; expected the same weights as '
      '.safetensors, or torch: pip install torch'
    ) from error
  try:
    with torch.serialization.safe_globals(_plain_objects()):
      loaded = torch.load(path, map_location='cpu', weights_only=True)
  except pickle.UnpicklingError as error:
    raise CheckpointError(_describe_refusal(path, str(error))) from error
  except (RuntimeError, OSError, EOFError, KeyError, ValueError) as error:
    raise unreadable(path, 'a torch file', error) from error
  tensors = _find_tensors(torch, loaded)
  if not tensors:
    raise CheckpointError(
      f'{path} holds {type(loaded).__name__}, expected a state dict of tensors.'
    )
  return tensors


def _plain_objects() -> list[Any]:
  """Classes without code of their own that training scripts save beside the state dict.

  The names of NumPy's functions are those of NumPy 1 and 2, whichever wrote the file.
  """
  scalar = np.float64(0).__reduce__()[0]
  scalars = [(scalar, f'{module}.multiarray.scalar') for module in ('numpy.core', 'numpy._core')]
  kinds = {type(np.dtype(code)) for code in '?bhilqBHILQefd'}
  return [*scalars, np.dtype, *kinds, argparse.Namespace]


def _describe_refusal(path: str, reason: str) -> str:
  refused = re.search(r'GLOBAL ([\w.]+)', reason)
  problem = 'it is damaged, or it holds other Python objects, which can run any code'
  if refused:
    problem = f'it holds a {refused[1]} object, and objects can run any code'
  return (
    f'{path} is not a plain state dict: {problem}, so it is not loaded; expected '
    'torch.save(model.state_dict(), FILE).'
  )


def _find_tensors(torch: Any, loaded: Any) -> dict[str, Any]:
  """Returns the state dict in a training checkpoint: under a known key, or the only one."""

  def tensors_of(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
      return {}
    return {name: tensor for name, tensor in value.items() if torch.is_tensor(tensor)}

  for key in _NESTED_IN:
    if isinstance(loaded, Mapping) and isinstance(loaded.get(key), Mapping):
      loaded = loaded[key]
  if not tensors_of(loaded) and isinstance(loaded, Mapping):
    nested = [value for value in loaded.values() if tensors_of(value)]
    loaded = nested[0] if len(nested) == 1 else loaded
  return tensors_of(loaded)


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
      f'{path} needs the package safetensors, which is not installed: pip install safetensors'
    ) from error
  try:
    arrays = safetensors.numpy.load_file(path)
  except (safetensors.SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
    raise unreadable(path, 'a safetensors file', error) from error
  # The file is sorted by name or by size. Numbers in the names of all layers give their order.
  names = sorted(arrays, key=_natural)
  in_order = all(re.search(r'\d', name) for name in names)
  return _foreign(path, 'safetensors', {name: arrays[name] for name in names}, in_order)


def check_can_write(path: str) -> None:
  """Raises ConfigError if the package that writes `path` is not installed."""
  package = 'safetensors' if path.endswith('.safetensors') else 'torch'
  try:
    is_installed = importlib.util.find_spec(package) is not None
  except ValueError:  # an import of it failed before
    is_installed = False
  if not is_installed:
    raise ConfigError(
      f'--output={path} needs the package {package}, which is not installed: pip install {package}'
    )


def write(path: str, state: dict[str, np.ndarray]) -> None:
  """Writes a state dict: `.safetensors` by its suffix, otherwise a `.pth` file."""
  if path.endswith('.safetensors'):
    import safetensors.numpy

    pathlib.Path(path).write_bytes(safetensors.numpy.save(state, {'format': 'pt'}))
    return
  import torch

  buffer = io.BytesIO()  # since the errors of its C++ code do not say that the disk is full
  torch.save({name: torch.from_numpy(array) for name, array in state.items()}, buffer)
  pathlib.Path(path).write_bytes(buffer.getbuffer())


def _natural(name: str) -> list[tuple[bool, int, str]]:
  """Sort key that puts features.2 before features.10."""
  return [
    (not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in name.split('.')
  ]


def _without_wrappers(names: Collection[str]) -> dict[str, str]:
  """Returns names without the components that DataParallel and torch.compile add."""
  shortened = {name: re.sub(r'(^|\.)(?:(?:module|_orig_mod)\.)+', r'\1', name) for name in names}
  return shortened if len(set(shortened.values())) == len(names) else {n: n for n in names}


def _foreign(path: str, kind: str, arrays: dict[str, np.ndarray], in_order: bool) -> ForeignWeights:
  names = _without_wrappers(arrays)
  skipped = [name for name in arrays if is_bookkeeping(name)]
  kept = {names[name]: array for name, array in arrays.items() if name not in skipped}
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
