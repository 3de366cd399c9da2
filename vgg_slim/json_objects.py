"""Parses JSON objects that may be damaged, or edited by hand. No TensorFlow."""

import json
import math
import pathlib
from collections import Counter
from typing import Any, NoReturn

MAX_BYTES = 64 << 20  # the manifest of a million shards; honest files have some kilobytes
_LARGEST_INTEGER = 2**63 - 1


def read(path: pathlib.Path) -> dict[str, Any]:
  """Returns the members of the object in a UTF-8 file.

  Raises:
    OSError: the file cannot be read.
    ValueError: see `parse`, or the file is larger than MAX_BYTES or not UTF-8.
  """
  size = path.stat().st_size
  if size > MAX_BYTES:
    raise ValueError(f'the file has {size} bytes, more than {MAX_BYTES}')
  return parse(path.read_text(encoding='utf-8'))


def parse(text: str) -> dict[str, Any]:
  """Returns the members of the object that `text` describes.

  Raises:
    ValueError: the text is not JSON, is nested too deeply, is not an object, has a name twice, or
      has a number that is not finite or does not fit into 64 bits; the message has one line.
  """
  try:
    values = json.loads(
      text,
      parse_int=_integer,
      parse_float=_float,
      parse_constant=_refuse_constant,
      object_pairs_hook=_members,
    )
  except json.JSONDecodeError as error:
    raise ValueError(f'not JSON: {error}') from error
  except RecursionError as error:
    raise ValueError('not JSON of ours: nested too deeply') from error
  if not isinstance(values, dict):
    raise ValueError(f'the top level must be an object, got {type(values).__name__}')
  return values


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
  members = dict(pairs)
  if len(members) < len(pairs):
    names = Counter(name for name, _ in pairs)
    raise ValueError(f'{names.most_common(1)[0][0]!r:.50} occurs more than once')
  return members


def _integer(digits: str) -> int:
  # Python itself refuses to read very long integers, in other words.
  value = int(digits) if len(digits) <= 20 else math.inf
  if abs(value) > _LARGEST_INTEGER:
    raise ValueError(f'the integer {digits[:20]}... does not fit into 64 bits')
  return int(value)


def _float(digits: str) -> float:
  value = float(digits)
  if not math.isfinite(value):
    raise ValueError(f'the number {digits[:20]} is not finite')
  return value


def _refuse_constant(name: str) -> NoReturn:
  raise ValueError(f'{name} is not a number of JSON')
