"""Flags of the settings of config classes: defined from their fields, and read back into them.

A setting and its flag have the same name. Loads no TensorFlow.
"""

import dataclasses
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from absl import flags

from vgg_slim.commands.flags import flag_groups
from vgg_slim.configs.base import Config
from vgg_slim.configs.fields import Setting, find_setting
from vgg_slim.errors import ConfigError

flags.disclaim_key_flags()

_DEFINE: dict[type, Callable[..., Any]] = {
  bool: flags.DEFINE_bool,
  float: flags.DEFINE_float,
  int: flags.DEFINE_integer,
  str: flags.DEFINE_string,
}
_ELEMENTS = {float: 'numbers', int: 'integers'}

SomeConfig = TypeVar('SomeConfig', bound=Config)


class Computed(NamedTuple):
  """A flag whose default is computed from other flags, the data set or a checkpoint.

  Attributes:
    default: sentence of the help that describes the default.
    names: the only values of the flag, where the config does not know them; empty for all others.
  """

  default: str
  names: Sequence[str] = ()


class _Field(NamedTuple):
  """A setting that has a flag.

  Attributes:
    name: name of the setting and of the flag.
    default: default of the setting.
    setting: metadata of the setting.
    type: type of the value, or of the elements of a list.
    is_list: whether the value is a tuple, and the flag a comma-separated list.
  """

  name: str
  default: Any
  setting: Setting
  type: type
  is_list: bool

  def convert(self, given: Any) -> Any:
    """The value of the flag in the type of the setting."""
    if not self.is_list or self.type is str:
      return given
    try:
      return tuple(map(self.type, given))
    except ValueError as error:
      raise ConfigError(
        f'--{self.name}={",".join(given)}: expected comma-separated {_ELEMENTS[self.type]}.'
      ) from error


def _fields(config_class: type[Config]) -> Iterator[_Field]:
  hints = typing.get_type_hints(config_class)
  for field in dataclasses.fields(config_class):
    setting = find_setting(field)
    if setting and setting.has_flag:
      hint = hints[field.name]
      if isinstance(hint, types.UnionType):  # such as `int | None`
        hint = typing.get_args(hint)[0]
      is_list = typing.get_origin(hint) is tuple
      element = typing.get_args(hint)[0] if is_list else hint
      yield _Field(field.name, field.default, setting, element, is_list)


def define(config_class: type[Config], computed: Mapping[str, Computed] | None = None) -> None:
  """Defines the flag of each setting of `config_class` that has one.

  Args:
    config_class: config whose defaults are those of the flags.
    computed: flags whose default is not that of the config, by name.
  """
  computed = computed or {}
  for field in _fields(config_class):
    _define(field, computed.get(field.name))
    if field.setting.heading:
      flag_groups.set_heading(field.name, field.setting.heading)


def _define(field: _Field, computed: Computed | None) -> None:
  allowed = field.setting.allowed
  names = (computed and computed.names) or (allowed.names if allowed else ())
  default = None if computed else field.default
  text = f'{field.setting.help} {computed.default}' if computed else field.setting.help
  if field.is_list:
    flags.DEFINE_list(field.name, default and list(map(str, default)), text)
  elif names:
    flags.DEFINE_enum(field.name, default, names, text)
  else:
    _DEFINE[field.type](field.name, default, text)


def from_flags(config_class: type[SomeConfig], **computed: Any) -> SomeConfig:
  """Builds a config from its flags.

  A setting whose flag has no value gets the default of the config.

  Args:
    config_class: config to build.
    **computed: settings that are not taken from flags.

  Raises:
    ConfigError: a value is not allowed, or a list contains something else than numbers.
  """
  values = {
    field.name: field.convert(flags.FLAGS[field.name].value)
    for field in _fields(config_class)
    if field.name not in computed and flags.FLAGS[field.name].value is not None
  }
  return config_class(**values, **computed)


def given(config_class: type[Config]) -> dict[str, Any]:
  """The values of the settings whose flags are given on the command line, by name."""
  return {
    field.name: field.convert(flags.FLAGS[field.name].value)
    for field in _fields(config_class)
    if is_given(field.name)
  }


def is_given(name: str) -> bool:
  """Whether the flag is given on the command line, even if it is given its default value."""
  return name in flags.FLAGS and bool(flags.FLAGS[name].present)
