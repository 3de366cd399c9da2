"""The flags of every command."""

import types

from absl import flags

from vgg_slim.commands.flags import flag_groups

flags.disclaim_key_flags()

_HEADING = 'Every command'
_QUIET = flags.DEFINE_bool('quiet', False, 'Show no progress, only results, warnings and errors.')
_VERBOSE = flags.DEFINE_bool(
  'verbose', False, 'Show the log of TensorFlow, and tracebacks of errors.'
)
_ALL = (_QUIET, _VERBOSE)
for _flag in _ALL:
  flag_groups.set_heading(_flag.name, _HEADING)


def is_quiet() -> bool:
  """Whether progress is hidden."""
  return bool(flags.FLAGS['quiet'].value)


def is_verbose() -> bool:
  """Whether TensorFlow's log and tracebacks are shown."""
  return bool(flags.FLAGS['verbose'].value)


def flags_of(module: types.ModuleType) -> list[flags.Flag]:
  """Returns the flags of a command in the order of their definition, those of all commands last."""
  own = flags.FLAGS.get_key_flags_for_module(module)
  return [*own, *(flags.FLAGS[flag.name] for flag in _ALL)]
