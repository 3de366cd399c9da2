"""The names of TensorFlow, NumPy and SciPy in the files of a script, read without running them."""

import ast
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from vgg_slim.compat import importing

_ROOTS = ('tensorflow', 'numpy', 'scipy')
_V1 = 'tensorflow.compat.v1'


class Use(NamedTuple):
  """Where a name is used first."""

  path: str
  line: int

  def __str__(self) -> str:
    return f'{pathlib.Path(self.path).name}:{self.line}'


class Scan(NamedTuple):
  """What the files of a script contain.

  Attributes:
    files: the script, and the modules of the user that it imports, directly or not.
    names: first use of each full name, such as 'tensorflow.contrib.slim'; what is imported from
      `tensorflow.compat.v1` is below that name.
    v1_import: first import of `tensorflow.compat.v1` as a module, or None.
    failures: SyntaxErrors by path of the file.
  """

  files: tuple[str, ...]
  names: dict[str, Use]
  v1_import: Use | None
  failures: dict[str, SyntaxError]


def scan(
  script: pathlib.Path,
  folders: Sequence[str],
  parse: Callable[[bytes, str], ast.AST] = ast.parse,
) -> Scan:
  """Reads a script and the modules that it imports from `folders`.

  Args:
    script: file to begin with.
    folders: where the user's modules are, in addition to the folder of each file.
    parse: function that returns the syntax tree of a source and its path.
  """
  files: dict[str, None] = {}
  names: dict[str, Use] = {}
  failures: dict[str, SyntaxError] = {}
  v1_imports: list[Use] = []
  waiting = [script]
  while waiting:
    path = waiting.pop(0)
    if str(path) in files or not importing.is_script_file(str(path)):
      continue
    files[str(path)] = None
    try:
      tree = parse(path.read_bytes(), str(path))
    except SyntaxError as error:
      failures[str(path)] = error
      continue
    for name, line in _used_names(tree):
      names.setdefault(name, Use(str(path), line))
    v1_imports += [Use(str(path), line) for line in _v1_imports(tree)]
    waiting += _local_modules(tree, [str(path.parent), *folders])
  return Scan(tuple(files), names, next(iter(v1_imports), None), failures)


def _imports(tree: ast.AST) -> Iterator[tuple[str, str, int]]:
  """Yields the full name, the variable and the line of each import."""
  for node in ast.walk(tree):
    if isinstance(node, ast.Import):
      for alias in node.names:
        name = alias.name if alias.asname else alias.name.partition('.')[0]
        yield alias.name, alias.asname or name, node.lineno
    elif isinstance(node, ast.ImportFrom) and node.module:
      for alias in node.names:
        yield f'{node.module}.{alias.name}', alias.asname or alias.name, node.lineno


def _used_names(tree: ast.AST) -> Iterator[tuple[str, int]]:
  variables = {}
  for name, variable, line in _imports(tree):
    if name.partition('.')[0] in _ROOTS:
      yield name, line
      is_package = variable in _ROOTS
      variables[variable] = variable if is_package else name
  for node in ast.walk(tree):
    if isinstance(node, ast.Attribute):
      names = [node.attr]
      value = node.value
      while isinstance(value, ast.Attribute):
        names.append(value.attr)
        value = value.value
      if isinstance(value, ast.Name) and value.id in variables:
        yield '.'.join([variables[value.id], *reversed(names)]), node.lineno


def _v1_imports(tree: ast.AST) -> Iterator[int]:
  for name, _, line in _imports(tree):
    if name == _V1:
      yield line


def _local_modules(tree: ast.AST, folders: Sequence[str]) -> Iterator[pathlib.Path]:
  """Yields the files of imported modules that are in one of the folders."""
  for name, _, _ in _imports(tree):
    parts = name.split('.')
    for length in range(1, len(parts) + 1):
      yield from _files('/'.join(parts[:length]), folders)


def _files(module: str, folders: Sequence[str]) -> Iterator[pathlib.Path]:
  for folder in folders:
    for path in (pathlib.Path(folder, f'{module}.py'), pathlib.Path(folder, module, '__init__.py')):
      if path.is_file():
        yield path
        return
