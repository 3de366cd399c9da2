"""Random damage to the content of a file: of its bytes, or of the values of its JSON."""

import copy
import json
import random
from collections.abc import Callable
from typing import Any

Damage = Callable[[bytes, random.Random], bytes]

_STRANGE_NUMBERS = (0, -1, 1, 0.5, 1e308, 10**15, 10**400, 2**63, -(2**31), 1e-320)
_STRANGE_TEXTS = ('', '..', '../../x', '/etc/passwd', '\x00', '\ud800', 'a' * 100_000, '=1+1', '\n')
_STRANGE_VALUES: tuple[Any, ...] = (
  None,
  True,
  False,
  [],
  {},
  [[]],
  *_STRANGE_NUMBERS,
  *_STRANGE_TEXTS,
)
_STRANGE_BYTES = (
  *(b'', b'\x00', b'\xff', b'\n', b'\r', b'"', b'{', b',', b'\t', b'-', b':', b'../../', b'/etc/'),
  *(b'[' * 5000, b'9' * 5000, b'x' * 200_000, b'NaN', b'1e999', b'\xef\xbb\xbf', b'\xd9\xa3'),
)
_WORDS = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 2**63 - 1, 2**64 - 1)
_HEAD = 96  # bytes at the start, where most formats have their sizes


def of_bytes(content: bytes, draw: random.Random) -> bytes:
  """Returns the content after one to three changes of bytes."""
  for _ in range(draw.randint(1, 3)):
    content = _change_bytes(content, draw)
  return content


def of_json(content: bytes, draw: random.Random) -> bytes:
  """Returns JSON after one to three changes, mostly of values."""
  if draw.random() > 0.7:
    return of_bytes(content, draw)
  values = json.loads(content)
  for _ in range(draw.randint(1, 3)):
    values = _change_values(values, draw)
  return json.dumps(values).encode()


def either(*damages: Damage) -> Damage:
  """Returns a damage that chooses one of `damages` each time."""
  return lambda content, draw: draw.choice(damages)(content, draw)


def _change_bytes(content: bytes, draw: random.Random) -> bytes:
  last = min(len(content), _HEAD) if draw.random() < 0.3 else len(content)
  start, end = sorted(draw.randint(0, last) for _ in range(2))
  piece = content[start:end]
  size = draw.choice((1, 2, 4, 8))
  word = (draw.choice(_WORDS) % 256**size).to_bytes(size, draw.choice(('little', 'big')))
  return draw.choice(
    (
      content[:start] + bytes([draw.randrange(256)]) + content[start + 1 :],
      content[:start] + word + content[start + size :],
      content[:start] + draw.choice(_STRANGE_BYTES) + content[start + draw.randrange(4) :],
      content[:start],
      content[:start] + content[end:],
      content[:end] + piece + content[end:],
    )
  )


def _change_values(values: Any, draw: random.Random) -> Any:
  """Changes one member anywhere in `values`: replaces, removes, repeats or renames it."""
  if not isinstance(values, dict | list) or not values or draw.random() < 0.1:
    return copy.deepcopy(draw.choice(_STRANGE_VALUES))
  key = draw.choice(list(values) if isinstance(values, dict) else range(len(values)))
  act = draw.random()
  if act < 0.75:
    values[key] = _change_values(values[key], draw)
  elif act < 0.85:
    del values[key]
  elif isinstance(values, dict):
    values[draw.choice(('', 'x', f'{key} ', 'a' * 10_000))] = values[key]
  else:
    values += [copy.deepcopy(values[key])] * draw.choice((1, 1000))
  return values
