"""The message for flags that a command does not have: one line, with what to write for each."""

import difflib
import functools
import re
from collections.abc import Callable, Collection, Iterator, Sequence

from absl import flags

from vgg_slim.commands import flag_owners, foreign_flags
from vgg_slim.wording import counted, listed

flags.disclaim_key_flags()

_SHORTEST_PREFIX = 4  # of a name that was cut off
_RUNS_SCRIPTS = 'legacy'  # whose unknown flags are those of a script, written before its name
_SIMILARITY = 0.75  # `master` and `nesterov` have 0.57, `batch_sizes` and `batch_size` 0.95

# What serves in commands that have the second flag, instead of the answer for training.
_SERVING = (
  ('train_dir', 'checkpoint_path'),
  ('checkpoint_path', 'train_dir'),
  ('checkpoint_path', 'from'),
  ('output_dir', 'output'),
  ('save_dir', 'output'),
  ('data', 'input_dir'),
  *(
    (name, flag)
    for name in ('image_size', 'img_size', 'input_size', 'train_image_size', 'eval_image_size')
    for flag in ('input_shape', 'resize_smaller_side')
  ),
)
# Parts of an answer that say themselves which command has the flags: of others and calls.
_OF_OTHERS = re.compile(r'--\w+(?:(?:,| and) --\w+)* of tools/\w+|tools/\w+(?: --\w+=\w+)+')
_FLAG = re.compile(r'--(\w+)')


def explain(
  argv: Sequence[str], error: flags.UnrecognizedFlagError, known: Collection[str], command: str
) -> str:
  """Describes all unknown flags of a command line.

  Args:
    argv: program name and arguments, without flag files.
    error: error that parsing raised, for the first unknown flag.
    known: names of the command's flags.
    command: name of the command, such as 'train'.
  """
  try:
    arguments = flags.FLAGS(list(argv), known_only=True)[1:]
    names = list(dict.fromkeys(_flag_names(arguments))) or [error.flagname]
  except flags.Error:  # another flag has an invalid value
    names = [error.flagname]
  others = functools.cache(functools.partial(flag_owners.load, command))
  return f'{counted(len(names), "unknown flag")}. ' + ' '.join(
    _explain(name, known, command, others) for name in names
  )


def _flag_names(arguments: Sequence[str]) -> Iterator[str]:
  for argument in arguments:
    if argument == '--':
      return
    name = argument.lstrip('-').partition('=')[0]
    if argument.startswith('-') and name:
      yield name


def _explain(
  flag: str, known: Collection[str], command: str, others: Callable[[], dict[str, set[str]]]
) -> str:
  name = flag.replace('-', '_')
  positive = name.removeprefix('no').lstrip('_')
  written = f'-{flag}' if len(flag) == 1 else f'--{flag}'
  if name != flag and (name in known or positive in known):
    return f'{written}: write --{name if name in known else f"no{positive}"}.'
  serving = next((f for other, f in _SERVING if other == name and f in known), None)
  if serving:
    return f'{written}: write --{serving}.'
  name = name if name in foreign_flags.BY_NAME else positive
  if row := foreign_flags.BY_NAME.get(name):
    return f'{written}{_answer(name, row, known, command)}.'
  full = flag.replace('-', '_')
  near = _similar(full, known)
  meant = f'did you mean {listed([f"--{n}" for n in near], 3, separator=" or ")}?' if near else ''
  flags_of = {} if command == _RUNS_SCRIPTS else others()
  owners = [other for other, own in flags_of.items() if own & {full, positive}]
  owners.sort(key=lambda owner: owner != 'train')  # the one that is usually meant, if it has it
  if owners:
    whose = f'--{full} is a flag of {listed([f"tools/{owner}" for owner in owners], 3)}'
    return f'{whose}; {meant}' if near else f'{whose}.'
  return f'{written}: {meant or "there is no such flag."}'


def _answer(name: str, row: foreign_flags.Row, known: Collection[str], command: str) -> str:
  """What to write in `command`; of the flags of other commands, only whose they are."""
  answer = row.answer.replace('`', '')
  answer = re.sub(r'^the same names?', f'--{name}', answer)
  answer = re.sub(rf' of tools/{command}\b|\btools/{command} (?=--)', '', answer)
  clauses = answer.split('; ')
  foreign = [c for c in clauses if (own := _own_flags(c)) and not _known(own, known)]
  here = [c for c in clauses if _known(_own_flags(c), known)]
  if not row.exists:
    return f' has no equivalent: {"; ".join(_with_owner(c, known) for c in clauses)}'
  if here:
    answer = '; '.join(_without_foreign(c, known) for c in clauses if c not in foreign)
    return ': ' + re.sub('(^|; )--', r'\1write --', answer, count=1)
  if not foreign:
    return f': {"that is " if answer.startswith("--") else ""}{answer}'
  own = _own_flags(foreign[0])
  if name in own:
    said = ' is a flag of tools/train'
  elif foreign[0].startswith('--'):
    said = f': that is {", ".join(f"--{flag}" for flag in own)} of tools/train'
  else:
    said = f': {_with_owner(foreign[0], known)}'
  return '; '.join([said, *(c for c in clauses if _OF_OTHERS.search(c) and c not in foreign)])


def _own_flags(clause: str) -> list[str]:
  return _FLAG.findall(_OF_OTHERS.sub('', clause))


def _known(names: Collection[str], known: Collection[str]) -> list[str]:
  return [name for name in names if name in known or name.removeprefix('no') in known]


def _with_owner(clause: str, known: Collection[str]) -> str:
  for flag in _own_flags(clause):
    if not _known([flag], known):
      clause = re.sub(rf'--{flag}\b', f'--{flag} of tools/train', clause)
  return clause


def _without_foreign(clause: str, known: Collection[str]) -> str:
  """The parts between commas that name a flag of this command, or none."""
  parts = clause.split(', ')
  kept = [p for p in parts if not (own := _own_flags(p)) or _known(own, known)]
  return ', '.join(kept).removeprefix('or ')


def _similar(name: str, known: Collection[str]) -> list[str]:
  longer = sorted(n for n in known if len(name) >= _SHORTEST_PREFIX and n.startswith(name))
  return longer or difflib.get_close_matches(name, known, n=1, cutoff=_SIMILARITY)
