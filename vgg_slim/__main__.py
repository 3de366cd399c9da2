"""`python -m vgg_slim` lists the commands; --completion=bash completes them. No TensorFlow."""

import argparse
import ast
import pathlib
import sysconfig

import vgg_slim
from vgg_slim import completion
from vgg_slim.nets import specs

_COMMANDS = pathlib.Path(__file__).parent / 'commands'
_BESIDE = pathlib.Path(vgg_slim.__file__).parents[1]  # a checkout, or site-packages
_SHARED = pathlib.Path(sysconfig.get_path('data'), 'share', 'vgg_slim')


def commands(folder: pathlib.Path) -> dict[str, str]:
  """Name of every command under `folder` -> the first line of its `--help`.

  A command is a module with a function `main`; nothing is imported, as their flags would clash.
  """
  found = {}
  for path in sorted(folder.glob('*.py')):
    tree = ast.parse(path.read_bytes(), str(path))
    if any(isinstance(node, ast.FunctionDef) and node.name == 'main' for node in tree.body):
      found[path.stem] = (ast.get_docstring(tree) or '').partition('\n')[0]
  return found


def recipes_folder() -> pathlib.Path:
  """Where the flag files are: in the checkout, or where the wheel put them."""
  beside = _BESIDE / 'recipes'
  return beside if beside.is_dir() else _SHARED / 'recipes'


def main() -> None:
  """Prints the version, the commands and where the recipes are, or what completes them."""
  parser = argparse.ArgumentParser('python -m vgg_slim', description='Lists the commands.')
  parser.add_argument('--version', action='version', version=f'vgg_slim {vgg_slim.__version__}')
  parser.add_argument(
    '--completion',
    choices=completion.SHELLS,
    help='print a script of completion: eval "$(python -m vgg_slim --completion=bash)"',
  )
  shell = parser.parse_args().completion
  found = commands(_COMMANDS)
  names = {name: f'vgg-slim-{name.replace("_", "-")}' for name in found}
  if shell:
    typed = [*names.values(), *(f'tools/{name}' for name in found)]
    print(completion.script(shell, typed, specs.MODEL_NAMES), end='')
    return
  print(f'vgg_slim {vgg_slim.__version__}: {vgg_slim.__doc__}\n')
  width = max(map(len, names.values()), default=0)
  for name, summary in found.items():
    print(f'  {names[name]:{width}}  {summary}')
  print('\nIn a checkout they are called tools/NAME; each has --help and --version.')
  print('Exit codes: 0 done, 1 failed as the message says, 2 wrong flags, 75 worth another try,')
  print('130 interrupted. --completion=bash (or zsh) prints what completes them.')
  print(f'Recipes for --flagfile: {recipes_folder()}')


if __name__ == '__main__':
  main()
