"""Whether a value has the type that a field declares, which files edited by hand may not."""

import numbers
import types
import typing
from collections.abc import Callable
from typing import Any

# TensorFlow's counters, sides and seeds have 32 bits, and a graph holds numbers as float32.
_SMALLEST_INTEGER, _LARGEST_INTEGER = -(2**31), 2**31 - 1
_SMALLEST_NUMBER, _LARGEST_NUMBER = 2.0**-126, (2 - 2.0**-23) * 2.0**127


def _is_integer(value: Any) -> bool:
  is_integral = isinstance(value, numbers.Integral) and not _is_bool(value)
  return is_integral and bool(_SMALLEST_INTEGER <= value <= _LARGEST_INTEGER)


def _is_number(value: Any) -> bool:
  is_real = isinstance(value, numbers.Real) and not _is_bool(value)
  return is_real and (value == 0 or bool(_SMALLEST_NUMBER <= abs(value) <= _LARGEST_NUMBER))


_TESTS: dict[type, tuple[str, Callable[[Any], bool]]] = {
  bool: ('true or false', lambda value: _is_bool(value)),
  int: ('an integer of at most 32 bits', _is_integer),
  float: ('a finite number in the range of float32', _is_number),
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
  NaN and infinities are not, nor is what TensorFlow would turn into them, or into 0. Any other
  hint fits every value.
  """
  if _is_union(hint):
    return any(fits(value, arm) for arm in typing.get_args(hint))
  if hint is None or hint is type(None):
    return value is None
  if typing.get_origin(hint) is tuple:
    return isinstance(value, tuple) and all(fits(item, typing.get_args(hint)[0]) for item in value)
  return _TESTS[hint][1](value) if hint in _TESTS else True


def _is_bool(value: Any) -> bool:
  # NumPy's type is known by its name: importing NumPy takes a third of the start of a command.
  kind = type(value)
  return kind is bool or (kind.__module__, kind.__name__) == ('numpy', 'bool')


def _is_union(hint: Any) -> bool:
  return typing.get_origin(hint) in (types.UnionType, typing.Union)
