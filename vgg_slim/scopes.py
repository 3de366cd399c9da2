"""Variable scopes as paths. No TensorFlow."""

from collections.abc import Iterable


def is_under(name: str, scopes: Iterable[str]) -> bool:
  """Whether `name` is one of `scopes` or below one of them, comparing whole path components."""
  return any(name == scope or name.startswith(f'{scope}/') for scope in scopes)
