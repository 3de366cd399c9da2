"""The contract of an export, and the checksum that ties it to its model. No TensorFlow.

A contract of another network whose outputs have the same shapes would name the wrong classes.
"""

import dataclasses
import hashlib
import pathlib
from collections.abc import Sequence

from vgg_slim.checkpoints import contract
from vgg_slim.checkpoints.contract import EXPORTED_FILE, ONNX_FILE, Contract
from vgg_slim.data import manifest
from vgg_slim.errors import CheckpointError

# Patterns of the files of a model, relative to the folder of its export.
ONNX_FILES = (ONNX_FILE,)
SAVED_MODEL_FILES = ('saved_model.pb', 'variables/*')
_MODELS = ('*.onnx', '*.pb', '*.tflite')


def write(folder: pathlib.Path, files: Sequence[str], made: Contract, extras: str = '.') -> None:
  """Writes the contract of an export whose model is complete.

  Args:
    folder: folder of the export.
    files: patterns of the files that the model consists of, relative to `folder`.
    made: contract of the checkpoint.
    extras: folder of the contract, relative to `folder`; it is created.
  """
  path = folder / extras / EXPORTED_FILE
  path.parent.mkdir(exist_ok=True)
  digest = _checksum(folder, files)
  contract.write_contract(path, dataclasses.replace(made, model_sha256=digest))


def read(folder: pathlib.Path, files: Sequence[str], extras: str = '.') -> Contract:
  """Reads the contract of an export, and checks that it is that of the model beside it.

  Contracts of versions that wrote no checksum are taken as they are.

  Raises:
    CheckpointError: the contract cannot be read, files of the model are missing, or the contract is
      that of another model.
  """
  path = folder / extras / EXPORTED_FILE
  found = contract.read_contract(path)
  if found.model_sha256 not in (None, _checksum(folder, files)):
    _check_nothing_is_missing(folder, files)
    raise CheckpointError(
      f'{path} is not the contract of the model in {folder}, whose SHA-256 differs: put the files '
      'of one export together, or export it again.'
    )
  return found


def _checksum(folder: pathlib.Path, files: Sequence[str]) -> str:
  """Returns the SHA-256 of a file, or of the names and hashes of several."""
  paths = sorted(path for pattern in files for path in _matches(folder, pattern))
  if len(paths) == 1:
    return manifest.sha256_of(paths[0])
  digest = hashlib.sha256()
  for path in paths:
    digest.update(f'{path.relative_to(folder).as_posix()} {manifest.sha256_of(path)}\n'.encode())
  return digest.hexdigest()


def _check_nothing_is_missing(folder: pathlib.Path, files: Sequence[str]) -> None:
  missing = [str(folder / pattern) for pattern in files if not _matches(folder, pattern)]
  models = [path.name for pattern in _MODELS for path in _matches(folder, pattern)]
  if missing and models and not set(files) & set(models):
    raise CheckpointError(
      f'There is no {missing[0]}: {folder} is an export in another format, {" and ".join(models)}. '
      'SavedModels (--saved_model) and ONNX exports (--onnx_model) can be run here.'
    )
  if missing:
    raise CheckpointError(
      f'There is no {" and no ".join(missing)}, which the model of this export consists of: '
      'restore the whole folder of the export, or export it again.'
    )


def _matches(folder: pathlib.Path, pattern: str) -> list[pathlib.Path]:
  """Returns files of a model; hidden ones are no part of it, as macOS adds them to every folder."""
  return [path for path in folder.glob(pattern) if not path.name.startswith('.')]
