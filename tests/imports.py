"""The imports of every source file, read without executing it."""

import ast
import pathlib
import re
from collections.abc import Iterator
from typing import NamedTuple

ROOT = pathlib.Path(__file__).parents[1]
TOP_PACKAGES = ('vgg_slim', 'benchmarks', 'tests')


class Import(NamedTuple):
  """One imported name, such as `vgg_slim.compat.tf` for `from vgg_slim.compat import tf`."""

  name: str
  line: int
  in_function: bool
  only_types: bool = False  # below `if TYPE_CHECKING`, so that it is not executed


class Module(NamedTuple):
  """A source file with its imports and string constants."""

  name: str  # for an __init__.py the name of the package
  path: str  # relative to the root, with slashes
  imports: tuple[Import, ...]
  strings: frozenset[str]

  @property
  def package(self) -> str:
    """The package that contains the module; for an __init__.py the package itself."""
    return pathlib.PurePosixPath(self.path).parent.as_posix().replace('/', '.')

  @property
  def is_package(self) -> bool:
    return self.name == self.package


def read_modules(root: pathlib.Path = ROOT) -> dict[str, Module]:
  """Parses every source file in the top packages; returns modules by name, sorted by path."""
  modules = {}
  for top in TOP_PACKAGES:
    for path in sorted((root / top).rglob('*.py')):
      relative = path.relative_to(root)
      parts = relative.with_suffix('').parts
      name = '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)
      tree = ast.parse(path.read_bytes(), str(relative))
      modules[name] = Module(
        name,
        relative.as_posix(),
        tuple(_imports(tree)),
        frozenset(
          node.value
          for node in ast.walk(tree)
          if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ),
      )
  return modules


def _imports(
  node: ast.AST, in_function: bool = False, only_types: bool = False
) -> Iterator[Import]:
  for child in ast.iter_child_nodes(node):
    if isinstance(child, ast.Import):
      for alias in child.names:
        yield Import(alias.name, child.lineno, in_function, only_types)
    elif isinstance(child, ast.ImportFrom):
      for alias in child.names:
        name = f'{"." * child.level}{child.module or ""}.{alias.name}'
        yield Import(name, child.lineno, in_function, only_types)
    else:
      inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
      for_checkers = isinstance(child, ast.If) and ast.unparse(child.test) == 'TYPE_CHECKING'
      yield from _imports(child, in_function or inside, only_types or for_checkers)


def internal_imports(module: Module, modules: dict[str, Module]) -> set[str]:
  """Modules of this repository that importing `module` loads directly, including its package."""
  names = {module.package} | {
    _module_of(i.name, modules) for i in module.imports if not i.only_types
  }
  if module.is_package:
    names.add(module.package.rpartition('.')[0])
  return names & set(modules) - {module.name}


def _module_of(name: str, modules: dict[str, Module]) -> str:
  """The module that an imported name is or is defined in; '' if it is not in this repository."""
  while name and name not in modules:
    name = name.rpartition('.')[0]
  return name


def read_locked_packages(root: pathlib.Path = ROOT) -> set[str]:
  """Names of the packages in requirements_lock.txt, in lower case with underscores."""
  text = (root / 'requirements_lock.txt').read_text(encoding='utf-8')
  return {
    re.sub('[-.]', '_', name).lower() for name in re.findall(r'^([\w.-]+)', text, re.MULTILINE)
  }
