"""The flags of every command."""

import types
from collections.abc import Sequence

from absl import flags

from vgg_slim.commands.flags import flag_groups

flags.disclaim_key_flags()

AUTO, PLAIN, JSON = 'auto', 'plain', 'json'
_HEADING = 'Every command'
_QUIET = flags.DEFINE_bool('quiet', False, 'Show no progress, only results, warnings and errors.')
_VERBOSE = flags.DEFINE_bool(
  'verbose', False, 'Show the log of TensorFlow, and tracebacks of errors.'
)
_PROGRESS = flags.DEFINE_enum(
  'progress',
  AUTO,
  [AUTO, PLAIN, JSON],
  'How progress is shown. auto: one line that is overwritten on a terminal, else a line every few '
  'seconds; plain: such lines also on a terminal; json: one JSON object per line on standard '
  'output, for programs, where each other line becomes an object too. --quiet shows none.',
)
_ALL = (_QUIET, _PROGRESS, _VERBOSE)
for _flag in _ALL:
  flag_groups.set_heading(_flag.name, _HEADING)


def is_quiet() -> bool:
  """Whether progress is hidden."""
  return bool(flags.FLAGS['quiet'].value)


def progress_format() -> str:
  """The format of progress: AUTO, PLAIN or JSON."""
  return str(flags.FLAGS['progress'].value)


def asks_for_json(arguments: Sequence[str]) -> bool:
  """Whether arguments that could not be parsed, or were, ask for JSON."""
  found = progress_format()
  for argument, following in zip(arguments, [*arguments[1:], ''], strict=True):
    name, has_value, value = argument.partition('=')
    if name in ('-progress', '--progress'):
      found = value if has_value else following
  return found == JSON


def is_verbose() -> bool:
  """Whether TensorFlow's log and tracebacks are shown."""
  return bool(flags.FLAGS['verbose'].value)


def own_flags_of(module: types.ModuleType) -> list[flags.Flag]:
  """Returns the flags of a command that not every command has, in the order of definition."""
  return list(flags.FLAGS.get_key_flags_for_module(module))


def flags_of(module: types.ModuleType) -> list[flags.Flag]:
  """Returns the flags of a command in the order of their definition, those of all commands last."""
  return [*own_flags_of(module), *(flags.FLAGS[flag.name] for flag in _ALL)]
