"""Variable scopes as paths."""

import re
from collections.abc import Iterable

from vgg_slim.compat import tf


def is_under(name: str, scopes: Iterable[str]) -> bool:
  """Whether `name` is one of `scopes` or below one of them, comparing whole path components."""
  return any(name == scope or name.startswith(f'{scope}/') for scope in scopes)


def plain_name(variable: tf.Variable) -> str:
  """Name of the variable without the suffix that marks a replica's copy."""
  return re.sub(r'/replica_\d+$', '', variable.op.name)
