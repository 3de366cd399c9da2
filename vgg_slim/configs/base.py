"""The base class of configs, which checks every value by what its field declares."""

import dataclasses
from typing import Any

from vgg_slim.configs import types
from vgg_slim.configs.checks import Checks
from vgg_slim.configs.fields import find_setting


@dataclasses.dataclass(frozen=True)
class Config:
  """A config whose fields are made by `configs.fields.setting`.

  Lists become tuples, so that a config read from JSON equals the one that was written.

  Raises:
    ConfigError: values are not allowed; the message lists all of them.
  """

  def __post_init__(self) -> None:
    checks = Checks(self)
    for field in dataclasses.fields(self):
      value = _as_tuples(getattr(self, field.name))
      object.__setattr__(self, field.name, value)
      described = find_setting(field)
      may_be_none = field.default is None and value is None
      if not types.fits(value, field.type):
        checks.require(False, field.name, types.describe(field.type))
      elif described and described.allowed and not may_be_none:
        allowed = described.allowed
        checks.require(allowed.accepts(value), field.name, allowed.text)
    self._check_together(checks)
    checks.raise_all()

  def _check_together(self, checks: Checks) -> None:
    """Adds the problems of values that depend on each other; for subclasses."""


def _as_tuples(value: Any) -> Any:
  return tuple(map(_as_tuples, value)) if isinstance(value, list | tuple) else value
