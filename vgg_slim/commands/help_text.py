"""The text of `--help`, wrapped to the terminal. `completion` reads its layout.

The name of a flag is alone on a line after two spaces, `--[no]name` for a switch. Below it, after
six spaces, are its meaning, `One of: a, b` and `Default: a`, each on lines of its own; further
lines of the last two begin with eight spaces.
"""

import re
import textwrap
import types
from collections.abc import Iterator

from absl import flags

from vgg_slim import terminal
from vgg_slim.commands import installation
from vgg_slim.commands.flags import common_flags, flag_groups

flags.disclaim_key_flags()

ASKED = ('-h', '-help', '--help', '--helpfull', '--helpshort')

_WITHOUT_FLAG = {
  '--flagfile': 'Reads flags from a file, one per line, such as recipes/*.flags.',
  '--version': 'Prints the version and exits.',
}
_INDENT, _CONTINUED = ' ' * 6, ' ' * 8
_REPEATED = ';\n    repeat this option to specify a list of values'  # absl adds it to the help
_NAMES = re.compile(r'^<[^>]*>: ')  # and this for the values of an enum
# Words of a command line; quotes hold them together.
_WORD = re.compile(r"""(?:'[^']*'|"[^"]*"|[^\s'"])+""")


def make(module: types.ModuleType) -> str:
  """Returns the purpose, examples and flags of a command, as wide as the terminal at most.

  Args:
    module: module of the command; its docstring and key flags are the text.
  """
  width = terminal.columns()
  lines = list(
    _wrap_docstring(
      installation.localize((module.__doc__ or '').rstrip(), installation.short), width
    )
  )
  for heading, members in flag_groups.by_heading(common_flags.flags_of(module), 'Flags').items():
    lines += ['', f'{heading}:']
    for flag in members:
      lines += _describe(flag, width)
  for name, about in _WITHOUT_FLAG.items():
    lines += [f'  {name}', *_wrap_prose(about, width, _INDENT, _INDENT)]
  return '\n'.join(lines)


def _describe(flag: flags.Flag, width: int) -> Iterator[str]:
  yield f'  --[no]{flag.name}' if flag.boolean else f'  --{flag.name}'
  about = _NAMES.sub('', flag.help.replace(_REPEATED, ''))
  yield from _wrap_prose(installation.localize(about, installation.short), width, _INDENT, _INDENT)
  if isinstance(flag, flags.EnumFlag):
    yield from _wrap_prose(
      f'One of: {", ".join(flag.parser.enum_values)}', width, _INDENT, _CONTINUED
    )
  default = _default(flag)
  if default:
    yield from _wrap_prose(f'Default: {default}', width, _INDENT, _CONTINUED)


def _default(flag: flags.Flag) -> str:
  """Returns the default as users write it; empty where there is none."""
  if flag.boolean:
    return {True: 'on', False: 'off', None: ''}[flag.default]
  if flag.default in (None, '', []):
    return ''
  return str(flag.default_as_str).strip("'")


def _wrap_docstring(text: str, width: int) -> Iterator[str]:
  """Wraps paragraphs as prose, and indented ones, which are command lines, with backslashes."""
  for i, block in enumerate(text.split('\n\n')):
    if i:
      yield ''
    if block.startswith('  '):
      for command in re.sub(r' *\\\n *', ' ', block).splitlines():
        yield from _wrap_command(command, width)
    elif '\n  ' in block:  # terms, each followed by its meaning, whose other lines are indented
      for item in re.split(r'\n(?! )', block):
        yield from _wrap_item(item, width)
    else:
      yield from _wrap_prose(block, width)


def _wrap_item(item: str, width: int) -> list[str]:
  later = re.search(r'\n( +)', item)
  column = len(later[1]) if later else 0
  term, meaning = item[:column], re.sub(r'\n +', ' ', item[column:])
  return _wrap_prose(meaning, width, term, ' ' * column)


def _wrap_prose(text: str, width: int, first: str = '', later: str = '') -> list[str]:
  return textwrap.wrap(
    text,
    width,
    initial_indent=first,
    subsequent_indent=later,
    break_long_words=False,
    break_on_hyphens=False,
  )


def _wrap_command(command: str, width: int) -> Iterator[str]:
  line = ' '
  for word in _WORD.findall(command):
    if len(f'{line} {word} \\') > width and line.strip():
      yield f'{line} \\'
      line = ' ' * 5
    line = f'{line} {word}'
  yield line
