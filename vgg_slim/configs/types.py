"""Whether a value has the type that a field declares, which files edited by hand may not."""

import math
import numbers
import types
import typing
from collections.abc import Callable
from typing import Any

import numpy as np

_TESTS: dict[type, tuple[str, Callable[[Any], bool]]] = {
  bool: ('true or false', lambda value: isinstance(value, bool | np.bool_)),
  int: ('an integer', lambda value: isinstance(value, numbers.Integral) and not _is_bool(value)),
  float: (
    'a finite number',
    lambda value: isinstance(value, numbers.Real) and not _is_bool(value) and math.isfinite(value),
  ),
  str: ('text', lambda value: isinstance(value, str)),
}


def describe(hint: Any) -> str:
  """Returns the description of a type hint that completes 'must be ...'."""
  if _is_union(hint):
    return ' or '.join(
      'null' if arm is type(None) else describe(arm) for arm in typing.get_args(hint)
    )
  if typing.get_origin(hint) is tuple:
    return f'a list, each of it {describe(typing.get_args(hint)[0])}'
  return _TESTS[hint][0] if hint in _TESTS else getattr(hint, '__name__', str(hint))


def fits(value: Any, hint: Any) -> bool:
  """Whether a value has the type of a hint.

  Hints are bool, int, float, str, None, and tuples and unions of these. Integers are numbers, too;
  NaN and infinities are not. Any other hint fits every value.
  """
  if _is_union(hint):
    return any(fits(value, arm) for arm in typing.get_args(hint))
  if hint is None or hint is type(None):
    return value is None
  if typing.get_origin(hint) is tuple:
    return isinstance(value, tuple) and all(fits(item, typing.get_args(hint)[0]) for item in value)
  return _TESTS[hint][1](value) if hint in _TESTS else True


def _is_bool(value: Any) -> bool:
  return isinstance(value, bool | np.bool_)


def _is_union(hint: Any) -> bool:
  return typing.get_origin(hint) in (types.UnionType, typing.Union)
