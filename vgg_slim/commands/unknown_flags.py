"""The message for flags that a command does not have: one line, with what to write for each."""

import difflib
import re
from collections.abc import Collection, Iterator, Sequence

from absl import flags

from vgg_slim.commands import foreign_flags
from vgg_slim.wording import counted, listed

flags.disclaim_key_flags()

_SHORTEST_PREFIX = 4  # of a name that was cut off
_SIMILARITY = 0.75  # `master` and `nesterov` have 0.57, `batch_sizes` and `batch_size` 0.95


def explain(argv: Sequence[str], error: flags.UnrecognizedFlagError, known: Collection[str]) -> str:
  """Describes all unknown flags of a command line.

  Args:
    argv: program name and arguments, without flag files.
    error: error that parsing raised, for the first unknown flag.
    known: names of the command's flags.
  """
  try:
    arguments = flags.FLAGS(list(argv), known_only=True)[1:]
    names = list(dict.fromkeys(_flag_names(arguments))) or [error.flagname]
  except flags.Error:  # another flag has an invalid value
    names = [error.flagname]
  return f'{counted(len(names), "unknown flag")}. ' + ' '.join(_explain(n, known) for n in names)


def _flag_names(arguments: Sequence[str]) -> Iterator[str]:
  for argument in arguments:
    if argument == '--':
      return
    name = argument.lstrip('-').partition('=')[0]
    if argument.startswith('-') and name:
      yield name


def _explain(flag: str, known: Collection[str]) -> str:
  name = flag.replace('-', '_')
  positive = name.removeprefix('no').lstrip('_')
  written = f'-{flag}' if len(flag) == 1 else f'--{flag}'
  if name != flag and (name in known or positive in known):
    return f'{written}: write --{name if name in known else f"no{positive}"}.'
  row = foreign_flags.BY_NAME.get(name) or foreign_flags.BY_NAME.get(positive)
  if row:
    return f'{written}{_answer(name, row, known)}.'
  near = _similar(name, known)
  if near:
    return f'{written}: did you mean {listed([f"--{n}" for n in near], 3, separator=" or ")}?'
  return f'{written}: there is no such flag.'


def _answer(name: str, row: foreign_flags.Row, known: Collection[str]) -> str:
  answer = row.answer.replace('`', '').replace('the same names', 'the same name')
  if not row.exists:
    return f' has no equivalent: {answer}'
  mentioned = re.findall(r'--(\w+)', answer) or [name] * answer.startswith('the same name')
  other = mentioned and not set(mentioned) & set(known) and 'tools/' not in answer
  write = 'write ' if answer.startswith('--') else ''
  return f'{" (of tools/train)" if other else ""}: {write}{answer}'


def _similar(name: str, known: Collection[str]) -> list[str]:
  longer = sorted(n for n in known if len(name) >= _SHORTEST_PREFIX and n.startswith(name))
  return longer or difflib.get_close_matches(name, known, n=1, cutoff=_SIMILARITY)
