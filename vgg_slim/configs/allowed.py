"""Values that a setting may have: each `Allowed` checks a value and describes what it accepts."""

import operator
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple


class Allowed(NamedTuple):
  """The values of a setting.

  Attributes:
    text: description that completes 'must be ...'.
    test: function that tells whether a value is allowed. It may raise TypeError for a value of a
      type that it does not expect, which is then not allowed.
    names: the only allowed values, where these are names; empty for all other settings.
  """

  text: str
  test: Callable[[Any], bool]
  names: tuple[str, ...] = ()

  def accepts(self, value: Any) -> bool:
    try:
      return bool(self.test(value))
    except TypeError:
      return False


def at_least(least: float) -> Allowed:
  """Numbers from `least` on."""
  return Allowed(f'at least {least}', lambda value: value >= least)


def positive() -> Allowed:
  """Numbers above 0."""
  return Allowed('positive', lambda value: value > 0)


def between(interval: str) -> Allowed:
  """Numbers in an interval such as '[0, 1)', whose bracket is round where the end is excluded."""
  low, high = map(_number, interval[1:-1].split(','))
  from_low = operator.le if interval[0] == '[' else operator.lt
  to_high = operator.le if interval[-1] == ']' else operator.lt
  return Allowed(f'in {interval}', lambda value: from_low(low, value) and to_high(value, high))


def one_of(names: Iterable[str]) -> Allowed:
  """One of several names."""
  names = tuple(names)
  return Allowed(f'one of {names}', lambda value: value in names, names)


def weights() -> Allowed:
  """Weights of classes, or none at all."""
  return Allowed(
    'numbers of at least 0, and not all 0',
    lambda values: not values or (min(values) >= 0 and max(values) > 0),
  )


def some_of(names: Iterable[str]) -> Allowed:
  """Any number of the names, as a tuple."""
  names = tuple(names)
  return Allowed(f'some of {names}', lambda values: set(values) <= set(names))


def _number(text: str) -> float:
  base, _, exponent = text.partition('**')
  return float(base) ** float(exponent or 1)
