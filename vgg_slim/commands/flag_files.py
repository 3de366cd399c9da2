"""Flag files and recipes, which are replaced by their flags before the command line is parsed.

Flags that come after a file on the command line win over those of the file, also within its phases.
"""

import itertools
import pathlib

from absl import flags

from vgg_slim.commands import installation

flags.disclaim_key_flags()

_FILE = 'flagfile'  # a flag that absl defines
_RECIPE = 'recipe'


def define_recipe_flag() -> None:
  """Defines --recipe."""
  names = list(installation.recipes())
  if names:
    text = 'Recipe to read flags from, as --flagfile does; flags that come after it win.'
    flags.DEFINE_enum(_RECIPE, None, names, text)


def expand(argv: list[str]) -> tuple[list[str], list[str]]:
  """Replaces flag files and recipes by their flags.

  Args:
    argv: program name and arguments.

  Returns:
    program name and arguments without files, and one line for each value in a phase of a file that
    a later argument replaces.

  Raises:
    flags.Error: a file cannot be read, or there is no such recipe.
  """
  arguments = _name_files(argv[1:])
  end = _end_of_files(arguments)
  before = _read(arguments[:end])
  if any(_is_flag(argument, _RECIPE) for argument in before):
    raise flags.Error('--recipe in a flag file: write --flagfile=PATH there')
  if not end or 'phase' not in flags.FLAGS:
    return [argv[0], *before, *arguments[end:]], []
  from vgg_slim.commands import phases  # with all settings, which other commands may not need

  before, after, notes = phases.replace(before, arguments[end:])
  return [argv[0], *before, *after], notes


def _read(arguments: list[str]) -> list[str]:
  try:
    return flags.FLAGS.read_flags_from_files(arguments)
  except flags.CantOpenFlagFileError as error:
    reason = error.__context__
    if not isinstance(reason, OSError):
      raise
    raise flags.Error(f'--{_FILE}={reason.filename}: {reason.strerror}') from error
  except UnicodeDecodeError as error:
    # absl does not say which file it was.
    paths = _paths(arguments)
    for path in paths:
      if not _is_text(path):
        raise flags.Error(f'--{_FILE}={path}: not a text file in UTF-8') from error
    named = ' or '.join(paths)
    raise flags.Error(f'--{_FILE}={named}: names a file that is not text in UTF-8') from error


def _paths(arguments: list[str]) -> list[str]:
  """Returns the values of --flagfile."""
  found = []
  for argument, following in itertools.zip_longest(arguments, arguments[1:], fillvalue=''):
    if _is_flag(argument, _FILE):
      _, has_value, path = argument.partition('=')
      found.append(path if has_value else following)
  return found


def _is_text(path: str) -> bool:
  try:
    pathlib.Path(path).expanduser().read_text(encoding='utf-8')
  except UnicodeDecodeError:
    return False
  except OSError:
    pass  # another error, of which absl tells
  return True


def _name_files(arguments: list[str]) -> list[str]:
  """Returns `arguments` with recipes written as flag files."""
  if _RECIPE not in flags.FLAGS:
    return arguments
  named, remaining = [], iter(arguments)
  for argument in remaining:
    if _is_flag(argument, _RECIPE):
      _, has_value, name = argument.partition('=')
      path = installation.recipes().get(name if has_value else next(remaining, ''))
      argument = argument if path is None else f'--{_FILE}={path}'
    named.append(argument)
  return named


def _end_of_files(arguments: list[str]) -> int:
  """Returns the number of arguments up to and including the last flag file."""
  ends = [
    index + (1 if '=' in argument else 2)
    for index, argument in enumerate(arguments)
    if _is_flag(argument, _FILE)
  ]
  return min(ends[-1], len(arguments)) if ends else 0


def _is_flag(argument: str, name: str) -> bool:
  return argument.startswith('-') and argument.lstrip('-').partition('=')[0] == name
