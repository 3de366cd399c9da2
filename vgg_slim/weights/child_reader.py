"""Reads weight files of other frameworks in a child process with limits. No TensorFlow."""

import dataclasses
import os
from collections.abc import Callable
from typing import Any

from vgg_slim.weights import isolated
from vgg_slim.weights.foreign import ForeignWeights

Reader = Callable[[str], ForeignWeights]

# torch takes 0.2 GiB, and its builds for CUDA more. Weights hardly compress, and reading takes up
# to four times the size of the file, where it holds float16 in an archive.
_BASE_MEMORY = 2 * 2**30  # bytes
_MEMORY_FACTOR = 6
# Importing torch takes seconds, and reading 500 MB about one.
_BASE_SECONDS = 60
_BYTES_PER_SECOND = 10_000_000


def limits_of(path: str) -> isolated.Limits:
  """Returns limits that an intact file of this size stays far below."""
  size = os.path.getsize(path)
  return isolated.Limits(
    _BASE_MEMORY + _MEMORY_FACTOR * size, _BASE_SECONDS + size // _BYTES_PER_SECOND
  )


def read(reader: Reader, path: str, limits: isolated.Limits | None = None) -> ForeignWeights:
  """Returns `reader(path)`, computed in a child process.

  Args:
    reader: function of a module that works without TensorFlow, which takes seconds to load.
    path: path of the file.
    limits: limits of the child; by default `limits_of(path)`.

  Raises:
    CheckpointError: raised by `reader`; or the child crashed or exceeded a limit.
  """
  answer = isolated.call(
    _read_here, (reader, path), f'{path} cannot be read', limits or limits_of(path)
  )
  return _from_answer(answer)


def _from_answer(answer: isolated.Answer) -> ForeignWeights:
  values = {name: _to_tuple(value) for name, value in answer.values.items()}
  return ForeignWeights(arrays=answer.arrays, **values)


def _read_here(reader: Reader, path: str) -> isolated.Answer:
  foreign = reader(path)
  names = [field.name for field in dataclasses.fields(foreign) if field.name != 'arrays']
  return isolated.Answer({name: getattr(foreign, name) for name in names}, foreign.arrays)


def _to_tuple(value: Any) -> Any:
  """Converts the lists of JSON back to tuples, the only sequences in ForeignWeights."""
  return tuple(map(_to_tuple, value)) if isinstance(value, list) else value
