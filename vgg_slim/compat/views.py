"""Modules as somebody expects them: real modules, and names that these no longer have."""

import importlib
import sys
import types
from collections.abc import Callable, Mapping

MISSING = object()


class ModuleView(types.ModuleType):
  """Shows the names of one or several modules and some more, without changing the modules.

  Args:
    name: name of the view.
    look_up: function that returns the value of a name, or raises AttributeError. Its answers are
      kept.
    bases: modules that see a name that is set, as they would without the view.
  """

  _look_up: Callable[[str], object]
  _bases: tuple[types.ModuleType, ...]

  def __init__(
    self,
    name: str,
    look_up: Callable[[str], object],
    bases: tuple[types.ModuleType, ...] = (),
  ) -> None:
    super().__init__(name)
    self.__dict__.update(_look_up=look_up, _bases=bases)

  def __getattr__(self, name: str) -> object:
    value = self._look_up(name)
    self.__dict__[name] = value
    return value

  def __setattr__(self, name: str, value: object) -> None:
    for base in self._bases[:1]:
      setattr(base, name, value)
    self.__dict__[name] = value

  def __dir__(self) -> list[str]:
    return sorted({name for base in self._bases for name in dir(base)} | set(self.__dict__))


def with_names(module: types.ModuleType, names: Mapping[str, str]) -> ModuleView:
  """Returns a view of `module` that has more names.

  Args:
    module: module whose own names are looked up at each access.
    names: full names of what is shown, such as 'tensorflow.python.ops.cond.cond', by short name.
  """

  def look_up(name: str) -> object:
    return find(names[name]) if name in names else getattr(module, name)

  return ModuleView(module.__name__, look_up, (module,))


def find(path: str) -> object:
  """Returns the module or object with the full name `path`.

  Attributes are preferred to imports: `import tensorflow.compat.v1.app` would put a second copy of
  that module, without `flags`, in the place of the first.

  Raises:
    AttributeError: there is none.
  """
  value: object = None
  names = path.split('.')
  for length, name in enumerate(names, 1):
    value = _step(value, name, '.'.join(names[:length]))
  return value


def _step(value: object, name: str, path: str) -> object:
  """Returns the module or attribute `path`, which is `name` in `value`."""
  loaded = sys.modules.get(path)
  if loaded is not None:
    return loaded
  if value is None or (hasattr(value, '__path__') and not hasattr(value, name)):
    try:
      return importlib.import_module(path)
    except ModuleNotFoundError as error:
      if error.name != path:
        raise
  return getattr(value, name)
