"""Values of flags, converted to what the config classes take. Loads no TensorFlow."""

import dataclasses
from typing import Any

from absl import flags

from vgg_slim.errors import ConfigError

flags.disclaim_key_flags()


def value(name: str) -> Any:
  """Returns the value of a flag in the type of the config field of the same name.

  Raises:
    ConfigError: the text cannot be converted.
  """
  given = flags.FLAGS[name].value
  return _CONVERTERS[name](name, given) if name in _CONVERTERS else given


def from_flags(config_class: type, **converted: object) -> object:
  """Builds a config from the flags named like its fields; `converted` sets fields directly."""
  names = [field.name for field in dataclasses.fields(config_class)]
  values = {name: value(name) for name in names if name not in converted}
  return config_class(**values, **converted)


def given(config_class: type) -> dict[str, Any]:
  """Returns the values of a config's fields whose flags are given on the command line."""
  names = [field.name for field in dataclasses.fields(config_class)]
  return {name: value(name) for name in names if is_given(name)}


def is_given(name: str) -> bool:
  """Whether the flag is given on the command line, even if it is given its default value."""
  return name in flags.FLAGS and bool(flags.FLAGS[name].present)


def _rates(name: str, texts: list[str]) -> tuple[float, ...]:
  try:
    return tuple(float(text) for text in texts)
  except ValueError as error:
    raise ConfigError(f'--{name}={",".join(texts)}: expected comma-separated numbers.') from error


def _steps(name: str, texts: list[str]) -> tuple[int, ...]:
  if not all(text.isdigit() for text in texts):
    raise ConfigError(f'--{name}={",".join(texts)}: expected two comma-separated integers.')
  return tuple(map(int, texts))


_CONVERTERS = {
  'learning_rate_boundaries': _rates,
  'learning_rate_values': _rates,
  'profile_steps': _steps,
}
