"""Imports in the files of a script: they get views of some packages, all other files do not."""

import builtins
import functools
import pathlib
import sys
import sysconfig
import types
from collections.abc import Callable, Mapping, Sequence

from vgg_slim.compat import absent

_PACKAGE = pathlib.Path(__file__).resolve().parents[1]
Provider = Callable[[str], types.ModuleType | absent.Absent]


def replace_imports(providers: Mapping[str, Provider]) -> None:
  """Replaces `__import__`, for imports of these packages by files of a script.

  Args:
    providers: functions that return the view of a module, by first name of the packages.
  """
  original = builtins.__import__

  def import_(
    name: str,
    globals: Mapping[str, object] | None = None,
    locals: Mapping[str, object] | None = None,
    fromlist: Sequence[str] | None = (),
    level: int = 0,
  ) -> object:
    provider = None if level else providers.get(name.partition('.')[0])
    if provider is None or not is_script(globals or {}):
      return original(name, globals, locals, fromlist or (), level)
    module = provider(name)
    if not fromlist:
      return provider(name.partition('.')[0])
    for each in fromlist:
      if each != '*':
        _check(module, name, each)
    return module

  builtins.__import__ = import_  # type: ignore[assignment]


def _check(module: object, path: str, name: str) -> None:
  """Raises an ImportError that keeps the message of the AttributeError, unlike Python's own."""
  try:
    getattr(module, name)
  except AttributeError as error:
    raise ImportError(f'cannot import name {name!r} from {path!r}: {error}', name=path) from None


def is_script(namespace: Mapping[str, object]) -> bool:
  """Whether a module's namespace belongs to the user, not to an installed package."""
  path = namespace.get('__file__')
  if isinstance(path, str):
    return is_script_file(path)
  return namespace.get('__name__') == '__main__'


@functools.cache
def is_script_file(path: str) -> bool:
  """Whether a source file is not part of Python, of an installed package or of vgg_slim."""
  file = pathlib.Path(path).resolve()
  if {'site-packages', 'dist-packages'} & set(file.parts):
    return False
  library = pathlib.Path(sysconfig.get_path('stdlib')).resolve()
  return not (file.is_relative_to(library) or file.is_relative_to(_PACKAGE))


def script_folders(first: str) -> list[str]:
  """Returns the folders of `sys.path` in which files of the user are, without repetitions.

  Args:
    first: folder of the script.
  """
  folders = [str(pathlib.Path(folder or '.').resolve()) for folder in [first, *sys.path]]
  return [each for each in dict.fromkeys(folders) if is_script_file(f'{each}/module.py')]
