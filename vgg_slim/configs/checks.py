"""Validation of configs: every problem is reported at once."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Set
from typing import Any

from vgg_slim.errors import ConfigError


class Checks:
  """Collects the problems of a config, to raise all of them as one error."""

  def __init__(self, config: Any):
    self._config = config
    self._problems: list[str] = []

  def require(self, ok: bool, field: str, allowed: str) -> None:
    if not ok:
      self._problems.append(f'{field} must be {allowed}, got {getattr(self._config, field)!r}')

  def add(self, problems: Iterable[str]) -> None:
    """Adds problems that another module found."""
    self._problems += problems

  def raise_all(self) -> None:
    if self._problems:
      raise ConfigError('; '.join(self._problems) + '.')


def build_all(builders: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
  """Calls every function and returns the results by name.

  Raises:
    ConfigError: some functions raised it; the message contains those of all of them.
  """
  built, problems = {}, []
  for name, build in builders.items():
    try:
      built[name] = build()
    except ConfigError as error:
      problems.append(str(error))
  if problems:
    raise ConfigError(' '.join(problems))
  return built


def check_fields(
  values: Any, config_class: type, where: str, may_lack_defaults: bool = False
) -> None:
  """Raises ConfigError unless `values` is a JSON object with exactly the fields of a dataclass.

  The error lists every missing and every unknown field.

  Args:
    values: value parsed from a JSON file.
    config_class: dataclass whose fields are expected.
    where: position in the file, for the message.
    may_lack_defaults: whether a field that has a default may be missing. Files written before the
      field existed lack it, and its default is what the program did at that time.
  """
  fields = dataclasses.fields(config_class)
  needed = {f.name for f in fields if not (may_lack_defaults and _has_default(f))}
  check_names(values, where, needed, {f.name for f in fields})


def check_names(values: Any, where: str, needed: Set[str], known: Set[str]) -> None:
  """Raises ConfigError unless a JSON object has all `needed` names and only `known` ones."""
  if not isinstance(values, dict):
    raise ConfigError(f'{where} must be an object, got {type(values).__name__}.')
  missing, unknown = sorted(needed - set(values)), sorted(set(values) - known)
  if missing or unknown:
    raise ConfigError(f'{where}: missing {missing}, unknown {unknown}.')


def _has_default(field: dataclasses.Field) -> bool:
  return (field.default, field.default_factory) != (dataclasses.MISSING, dataclasses.MISSING)
