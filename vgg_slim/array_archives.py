"""Reads `.npz` archives of plain arrays, which may be damaged or hostile. No TensorFlow."""

import contextlib
import math
import pathlib
import struct
import sys
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import cast

import numpy as np

from vgg_slim.errors import VggSlimError, reason

# What zipfile raises for the index of a damaged archive.
ZIP_ERRORS = (
  *(zipfile.BadZipFile, struct.error, OSError, ValueError),
  *(IndexError, NotImplementedError),
)
# What NumPy and zipfile raise for damaged arrays; TokenError and SyntaxError are of headers.
_MISTAKES = (
  *(EOFError, KeyError, TypeError, SyntaxError, OverflowError, RuntimeError),
  *(tokenize.TokenError, zlib.error, *ZIP_ERRORS),
)


@contextlib.contextmanager
def open_arrays(path: pathlib.Path) -> Iterator[Mapping[str, np.ndarray]]:
  """Yields the arrays of an archive by name; each is read when it is looked up.

  Raises:
    FileNotFoundError: there is no file.
    ValueError: the file is not an archive, an array is damaged, pickled or larger than its file, or
      an array that was looked up does not exist; the message has one line.
  """
  with path.open('rb') as file:
    try:
      arrays = np.load(file, allow_pickle=False)
      if not isinstance(arrays, np.lib.npyio.NpzFile):
        raise ValueError(f'it holds a single array {list(arrays.shape)} without a name')
      _check_sizes(arrays)
      yield arrays
    except VggSlimError:  # of the block
      raise
    except _MISTAKES as error:
      raise ValueError(reason(error)) from error


def texts(array: np.ndarray) -> list[str]:
  """Returns the strings, or integers as strings, of an array of an archive.

  Raises:
    ValueError: the array is not a list of these, or holds what is not a character.
  """
  if array.dtype.kind not in 'Uiu' or array.ndim != 1:
    raise ValueError(f'expected a list of strings, got {array.dtype} {list(array.shape)}')
  if array.dtype.kind == 'U':
    # NumPy makes Python's strings of any numbers, and Python fails later, when it uses them.
    kind = np.dtype(np.uint32).newbyteorder(array.dtype.byteorder)
    if (np.frombuffer(array.tobytes(), kind) > sys.maxunicode).any():
      raise ValueError('some strings hold numbers that are not characters')
  return list(map(str, array.tolist()))


def _check_sizes(arrays: np.lib.npyio.NpzFile) -> None:
  """Refuses headers that declare more than their file holds, before anything is allocated."""
  archive = cast('zipfile.ZipFile', arrays.zip)  # None only when closed
  for member in archive.infolist():
    with archive.open(member) as stream:
      version = np.lib.format.read_magic(stream)
      read_header = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
      )
      shape, _, dtype = read_header(stream)
    is_pickled = dtype.hasobject  # NumPy refuses it, and nothing is allocated
    if not is_pickled and math.prod(shape) * dtype.itemsize > member.file_size:
      raise ValueError(f'{member.filename} declares {list(shape)} values and does not hold them')
