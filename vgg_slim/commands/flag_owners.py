"""The flags of the other commands, which takes 0.2 s to load: only for an error message."""

import contextlib
import importlib
import sys
from collections.abc import Iterator
from typing import Any

from absl import flags

from vgg_slim.commands import installation
from vgg_slim.commands.flags import common_flags

flags.disclaim_key_flags()

_PACKAGE = 'vgg_slim.commands'


def load(but: str) -> dict[str, set[str]]:
  """Returns the names of the flags that not every command has, by command, without `but`."""
  found = {}
  with _restored():
    for command in installation.commands():
      if command == but:
        continue
      for flag in flags.FLAGS:  # the next command may define all of them again
        flags.FLAGS[flag].allow_override = True
      sys.modules.pop(f'{_PACKAGE}.{command}', None)
      module = importlib.import_module(f'{_PACKAGE}.{command}')
      found[command] = {flag.name for flag in common_flags.own_flags_of(module)}
  return found


@contextlib.contextmanager
def _restored() -> Iterator[None]:
  """After the block, the flags are those of before, and commands loaded in it are unloaded."""
  registry = vars(flags.FLAGS)
  before = {name: _copy(value) for name, value in registry.items()}
  overrides = {name: flags.FLAGS[name].allow_override for name in flags.FLAGS}
  modules = {name: sys.modules[name] for name in sys.modules if name.startswith(f'{_PACKAGE}.')}
  package = sys.modules[_PACKAGE]
  attributes = dict(vars(package))
  try:
    yield
  finally:
    registry.clear()
    registry.update(before)
    for name, allowed in overrides.items():
      flags.FLAGS[name].allow_override = allowed
    for name in [name for name in sys.modules if name.startswith(f'{_PACKAGE}.')]:
      if name not in modules:
        del sys.modules[name]
    sys.modules.update(modules)
    vars(package).clear()
    vars(package).update(attributes)


def _copy(value: Any) -> Any:
  """Copies one of Absl's registries, a dict of flags or of lists of flags."""
  if not isinstance(value, dict):
    return value
  return {key: list(item) if isinstance(item, list) else item for key, item in value.items()}
