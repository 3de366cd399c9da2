"""Recognizes the format of a weight file by its bytes, and reads it."""

import hashlib
import os
import pathlib
import zipfile

from vgg_slim import array_archives
from vgg_slim.checkpoints import index_file, prefixes, search
from vgg_slim.errors import CheckpointError, reason
from vgg_slim.weights import (
  child_reader,
  keras_h5,
  npy_pickle,
  npz,
  onnx_model,
  slim_ckpt,
  torch_state,
)
from vgg_slim.weights.foreign import ForeignWeights

KNOWN = (
  'a TensorFlow checkpoint (V1 or V2), Keras .h5, .weights.h5 or .keras, torch .pth, .safetensors, '
  '.onnx, .npz, or .npy with a dict of layers'
)

_HDF5_MAGIC = b'\x89HDF\r\n\x1a\n'
_NPY_MAGIC = b'\x93NUMPY'
_PICKLE_MAGIC = b'\x80\x02'  # of torch files before 1.6

READERS = {
  'checkpoint': slim_ckpt.read,
  'keras': keras_h5.read,
  'torch': torch_state.read_torch,
  'safetensors': torch_state.read_safetensors,
  'onnx': onnx_model.read,
  'npy': npy_pickle.read,
  'npz': npz.read,
}


def read(path: str) -> ForeignWeights:
  """Reads the weights of any file that `find_format` recognizes.

  All files but TensorFlow's own checkpoints are read in a child process, which a damaged or hostile
  file may crash.

  Raises:
    CheckpointError: the file does not exist, has an unknown format, or is truncated or damaged.
  """
  path = search.find(path) or path
  kind = find_format(path)
  reader = READERS[kind]
  return reader(path) if kind == 'checkpoint' else child_reader.read(reader, path)


def find_format(path: str) -> str:
  """Returns the key of READERS for `path`.

  The bytes decide; the extension decides only for formats without a signature, such as ONNX.

  Raises:
    CheckpointError: the file does not exist or has an unknown format.
  """
  if prefixes.find_prefix(path):
    return 'checkpoint'
  if os.path.isdir(path):
    raise CheckpointError(f'{path} is a folder without a checkpoint; expected {KNOWN}.')
  try:
    with open(path, 'rb') as file:
      head = file.read(16)
      file.seek(-min(8, file.seek(0, os.SEEK_END)), os.SEEK_END)
      tail = file.read(8)
  except OSError as error:
    raise CheckpointError(f'{path} cannot be read: {error.strerror}; expected {KNOWN}.') from error
  if not head:
    raise CheckpointError(f'{path} is empty; expected {KNOWN}.')
  kind = _find_by_bytes(path, head, tail)
  if kind is None:
    raise CheckpointError(f'{path} has an unknown format; expected {KNOWN}.')
  return kind


def _find_by_bytes(path: str, head: bytes, tail: bytes) -> str | None:
  suffix = pathlib.Path(path).suffix
  if head.startswith(_HDF5_MAGIC):
    return 'keras'
  if head.startswith(b'PK'):
    return _find_in_zip(path)
  if head.startswith(_NPY_MAGIC):
    return 'npy'
  if tail == index_file.MAGIC:
    return 'checkpoint'
  if head[8:9] == b'{' and int.from_bytes(head[:8], 'little') < os.path.getsize(path):
    return 'safetensors'
  if suffix == '.onnx':
    return 'onnx'
  if head.startswith(_PICKLE_MAGIC) or suffix in ('.pth', '.pt'):
    return 'torch'
  return 'safetensors' if suffix == '.safetensors' else None


def _find_in_zip(path: str) -> str | None:
  try:
    with zipfile.ZipFile(path) as archive:
      members = archive.namelist()
  except array_archives.ZIP_ERRORS as error:
    raise CheckpointError(
      f'{path} starts as a zip archive (.keras, .pth or .npz) but is truncated or damaged: '
      f'{reason(error)}.'
    ) from error
  if 'model.weights.h5' in members:
    return 'keras'
  if any(member.endswith('data.pkl') for member in members):
    return 'torch'
  return 'npz' if members and all(member.endswith('.npy') for member in members) else None


def sha256(path: str) -> str:
  """Returns the hash of a file, or of all files of a checkpoint in order of name."""
  prefix = search.find(path)
  digest = hashlib.sha256()
  for file in prefixes.list_files(prefix) if prefix else [pathlib.Path(path)]:
    with file.open('rb') as opened:
      while block := opened.read(2**20):
        digest.update(block)
  return digest.hexdigest()
