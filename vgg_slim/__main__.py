"""`python -m vgg_slim` lists the commands, and prints shell completion for them. No TensorFlow."""

import argparse
import ast
import pathlib
import sysconfig

import vgg_slim
from vgg_slim import completion
from vgg_slim.nets import specs

_COMMANDS = pathlib.Path(__file__).parent / 'commands'
_ROOT = pathlib.Path(vgg_slim.__file__).parents[1]  # of a checkout, or site-packages
_SHARED = pathlib.Path(sysconfig.get_path('data'), 'share', 'vgg_slim')


def commands(folder: pathlib.Path) -> dict[str, str]:
  """Returns the first line of `--help` of every command in `folder`, by name.

  A command is a module with a function `main`. Modules are not imported, since their flags would
  clash.
  """
  summaries = {}
  for path in sorted(folder.glob('*.py')):
    tree = ast.parse(path.read_bytes(), str(path))
    if any(isinstance(node, ast.FunctionDef) and node.name == 'main' for node in tree.body):
      summaries[path.stem] = (ast.get_docstring(tree) or '').partition('\n')[0]
  return summaries


def recipes_folder() -> pathlib.Path:
  """Returns the folder of the flag files, in the checkout or where the wheel installed them."""
  recipes = _ROOT / 'recipes'
  return recipes if recipes.is_dir() else _SHARED / 'recipes'


def main() -> None:
  """Prints version, commands and folder of recipes, or the completion script."""
  parser = argparse.ArgumentParser('python -m vgg_slim', description='Lists the commands.')
  parser.add_argument('--version', action='version', version=f'vgg_slim {vgg_slim.__version__}')
  parser.add_argument(
    '--completion',
    choices=completion.SHELLS,
    help='print a completion script for eval "$(python -m vgg_slim --completion=bash)"',
  )
  shell = parser.parse_args().completion
  summaries = commands(_COMMANDS)
  names = {name: f'vgg-slim-{name.replace("_", "-")}' for name in summaries}
  if shell:
    typed = [*names.values(), *(f'tools/{name}' for name in summaries)]
    print(completion.script(shell, typed, specs.MODEL_NAMES), end='')
    return
  print(f'vgg_slim {vgg_slim.__version__}: {vgg_slim.__doc__}\n')
  width = max(map(len, names.values()), default=0)
  for name, summary in summaries.items():
    print(f'  {names[name]:{width}}  {summary}')
  print('\nIn a checkout, commands are called tools/NAME. Each has --help and --version.')
  print('Exit codes: 0 done, 1 failed (see the message), 2 wrong flags, 75 worth running again,')
  print('130 interrupted. --completion=bash (or zsh) prints a completion script.')
  print(f'Recipes for --flagfile: {recipes_folder()}')


if __name__ == '__main__':
  main()
