"""The commands, what they are called here, and the recipes: in a checkout, or installed by pip.

In a checkout a command is called `tools/train`, elsewhere `vgg-slim-train`. Docstrings and messages
are written for a checkout; `localize` adapts what is shown to users. In messages every command can
be copied: it has its path where its name alone would not be found, and `pip install` is that of the
interpreter that runs. No TensorFlow.
"""

import ast
import os
import pathlib
import re
import shlex
import shutil
import sys
import sysconfig
from collections.abc import Callable

_COMMANDS = pathlib.Path(__file__).parent
_ROOT = _COMMANDS.parents[1]  # folder of a checkout, or site-packages
_WRAPPER = pathlib.Path('tools', 'run.sh')  # in every checkout and source distribution
# Not part of a longer path, such as /home/me/tools/train, nor the value of a flag.
_CALL = re.compile(r'(?<![\w/.=-])tools/([a-z_]+)\b(?![/-]|[.]\w)')
_PIP = re.compile(r'(?<![\w/.-])(?<!-m )pip install (?=[^ ])')


def commands(folder: pathlib.Path = _COMMANDS) -> dict[str, str]:
  """Returns the first line of `--help` of every command in `folder`, by name.

  A command is a module with a function `main`. Modules are not imported, since their flags would
  clash.
  """
  summaries = {}
  for path in sorted(folder.glob('*.py')):
    tree = ast.parse(path.read_bytes(), str(path))
    if any(isinstance(node, ast.FunctionDef) and node.name == 'main' for node in tree.body):
      summaries[path.stem] = localize((ast.get_docstring(tree) or '').partition('\n')[0], short)
  return summaries


def calls(name: str) -> tuple[str, str]:
  """Returns what a command is called in a checkout, and where pip installed it."""
  return f'tools/{name}', f'vgg-slim-{name.replace("_", "-")}'


def short(name: str) -> str:
  """Returns what the command `name` is called here."""
  return calls(name)[_is_installed()]


def call(name: str) -> str:
  """Returns what users type in the current folder to run the command `name`."""
  if not _is_installed():
    return _typed(_checkout() / short(name))
  command = short(name)
  if _script_beside(command).is_file():
    return script(command)
  # One on the PATH may be that of another environment.
  is_of_user = shutil.which(command) == os.path.join(_scripts_of_user(), command)
  return command if is_of_user else f'{_interpreter()} -m vgg_slim {name}'


def script(name: str) -> str:
  """Returns what users type here to run a script of another package, such as tensorboard.

  It is beside the interpreter, in an environment that need not be active.
  """
  beside = _script_beside(name)
  is_on_path = shutil.which(name) == str(beside)
  return name if is_on_path or not beside.is_file() else _typed(beside)


def localize(text: str, name: Callable[[str], str] = call) -> str:
  """Returns `text` with every `tools/NAME` of a command, and `pip`, as they are called here.

  Args:
    text: text for users.
    name: function that names a command: `call`, or `short` where the text is about the command.
  """
  text = _PIP.sub(lambda _: f'{_interpreter()} -m pip install ', text)
  return _CALL.sub(lambda match: name(match[1]) if _is_command(match[1]) else match[0], text)


def recipes_folder() -> pathlib.Path:
  """Returns the folder of the recipes: of the checkout, or where pip installed them."""
  if not _is_installed():
    return _ROOT / 'recipes'
  # PREFIX/lib/pythonX.Y/site-packages; with `pip install --user`, PREFIX is that of the user, and
  # with --target the folder itself.
  python = pathlib.Path(sysconfig.get_path('data'))
  prefixes = (*_ROOT.parents[2:3], _ROOT, python)
  folders = [prefix / 'share' / 'vgg_slim' / 'recipes' for prefix in prefixes]
  return next(filter(pathlib.Path.is_dir, folders), folders[0])


def recipes() -> dict[str, pathlib.Path]:
  """Returns the files of the recipes by name."""
  return {path.stem: path for path in sorted(recipes_folder().glob('*.flags'))}


def _script_beside(name: str) -> pathlib.Path:
  return pathlib.Path(sys.executable).with_name(name)


def _scripts_of_user() -> str:
  """The folder of scripts that `pip install --user` makes."""
  return sysconfig.get_path('scripts', sysconfig.get_preferred_scheme('user'))


def _interpreter() -> str:
  return _typed(pathlib.Path(sys.executable))


def _typed(path: pathlib.Path) -> str:
  """Returns what users type for `path` in the current folder."""
  try:
    current = pathlib.Path.cwd()
  except FileNotFoundError:  # it was removed
    return shlex.quote(str(path))
  if not path.is_relative_to(current):
    return shlex.quote(str(path))
  below = str(path.relative_to(current))
  return shlex.quote(below if os.sep in below else os.path.join(os.curdir, below))


def _checkout() -> pathlib.Path:
  """The folder of the checkout, also where Bazel runs links to its files."""
  workspace = pathlib.Path(os.environ.get('BUILD_WORKSPACE_DIRECTORY') or _ROOT)
  # `bazel run` of another project may have started a command of this one.
  return workspace if _is_of_bazel() and (workspace / _WRAPPER).is_file() else _ROOT


def _is_installed() -> bool:
  return not (_is_of_bazel() or (_ROOT / _WRAPPER).is_file())


def _is_of_bazel() -> bool:
  return _ROOT.parent.name.endswith('.runfiles')


def _is_command(name: str) -> bool:
  return (_COMMANDS / f'{name}.py').is_file()
