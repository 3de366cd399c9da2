"""`python -m vgg_slim COMMAND ...` runs a command; alone it lists them. No TensorFlow.

It also prints shell completion.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence

import vgg_slim
from vgg_slim import completion, terminal
from vgg_slim.commands import installation, standard_streams
from vgg_slim.nets import specs


def main() -> None:
  """Runs the command that is named first, or prints what the options ask for."""
  arguments = sys.argv[1:]
  if arguments and not arguments[0].startswith('-'):
    _run_command(arguments[0], arguments[1:])
    return
  with standard_streams.prepared('vgg_slim'):
    _print_what_is_asked()


def _print_what_is_asked() -> None:
  parser = argparse.ArgumentParser(
    'python -m vgg_slim', description='Runs a command, or lists all.', usage='%(prog)s [COMMAND]'
  )
  parser.add_argument('--version', action='store_true', help='print the version')
  parser.add_argument(
    '--completion',
    choices=completion.SHELLS,
    help='print a completion script for eval "$(python -m vgg_slim --completion=bash)"',
  )
  options = parser.parse_args()
  if options.version:
    print(f'vgg_slim {vgg_slim.__version__}')
    return
  if shell := options.completion:
    typed = [name for command in installation.commands() for name in installation.calls(command)]
    print(completion.script(shell, typed, specs.MODEL_NAMES), end='')
    return
  _print_commands()


def _run_command(typed: str, arguments: Sequence[str]) -> None:
  name = typed.replace('-', '_')
  if name not in installation.commands():
    print(
      f'vgg_slim: error: there is no command {typed!r}; python -m vgg_slim lists them.',
      file=sys.stderr,
    )
    sys.exit(2)
  sys.argv = [name, *arguments]
  importlib.import_module(f'vgg_slim.commands.{name}').run()


def _print_commands() -> None:
  terminal.show(f'vgg_slim {vgg_slim.__version__}: {vgg_slim.__doc__}\n')
  summaries = {installation.short(name): text for name, text in installation.commands().items()}
  width = max(map(len, summaries), default=0)
  for name, summary in summaries.items():
    print(terminal.fold(f'  {name:{width}}  {summary}', indent=' ' * (width + 4)))
  print('\nEach has --help and --version, and is also called python -m vgg_slim NAME.')
  print('Exit codes: 0 done, 1 failed (see the message), 2 wrong flags, 75 worth')
  print('running again, 130 interrupted. --completion=bash (or zsh) prints a completion')
  print('script.')
  train, recipes = installation.short('train'), ', '.join(installation.recipes())
  terminal.show(f'Recipes for {train} --recipe=NAME: {recipes}.')
  print(f'They are files of flags in {installation.recipes_folder()}')


if __name__ == '__main__':
  main()
