"""What the flags of the configs say, as the configs take it. Loads no TensorFlow."""

import dataclasses
from typing import Any

from absl import flags

from vgg_slim.errors import ConfigError

flags.disclaim_key_flags()


def value(name: str) -> Any:
  """The value of a flag as the field of the same name takes it.

  Raises:
    ConfigError: text that is not what the flag expects.
  """
  given = flags.FLAGS[name].value
  return _CONVERTERS[name](name, given) if name in _CONVERTERS else given


def from_flags(config_class: type, **converted: object) -> object:
  """A config of the flags that are named like its fields; `converted` are taken as they are."""
  names = [field.name for field in dataclasses.fields(config_class)]
  values = {name: value(name) for name in names if name not in converted}
  return config_class(**values, **converted)


def given(config_class: type) -> dict[str, Any]:
  """The values of those flags that the command names, of fields of a config."""
  names = [field.name for field in dataclasses.fields(config_class)]
  return {name: value(name) for name in names if is_given(name)}


def is_given(name: str) -> bool:
  """Whether the command names the flag; not where it has its default."""
  return name in flags.FLAGS and bool(flags.FLAGS[name].present)


def _rates(name: str, texts: list[str]) -> tuple[float, ...]:
  try:
    return tuple(float(text) for text in texts)
  except ValueError as error:
    raise ConfigError(f'--{name}={",".join(texts)}: expected numbers with commas.') from error


def _steps(name: str, texts: list[str]) -> tuple[int, ...]:
  if not all(text.isdigit() for text in texts):
    raise ConfigError(f'--{name}={",".join(texts)}: expected two numbers with a comma.')
  return tuple(map(int, texts))


_CONVERTERS = {
  'learning_rate_boundaries': _rates,
  'learning_rate_values': _rates,
  'profile_steps': _steps,
}
