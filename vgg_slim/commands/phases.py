"""Phases of a training run: the same command with some flags changed, each starting from the last.

Each --phase gives the name of a phase and its flags:

  --phase='head epochs=5 learning_rate=1e-3 trainable_scopes=head'
  --phase='all  epochs=10 learning_rate=1e-5'

A flag without a value is a switch: `from_net_a`. All other flags are those of the command.

Arguments after a flag file win over the phases of the file: a flag over its value in every phase of
the file, a phase over the one of the same name.
"""

import contextlib
import os
import pathlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from absl import flags

from vgg_slim.checkpoints import prefixes
from vgg_slim.configs.config import CONFIG_FILE, read_train_config
from vgg_slim.errors import CheckpointError, ConfigError

if TYPE_CHECKING:
  from vgg_slim.training.history import EpochMetrics

flags.disclaim_key_flags()

# How the first phase restores its checkpoint. Later phases restore all of the one before.
_FULL_RESTORE = {
  'weights': '',
  'checkpoint_exclude_scopes': '',
  'new_head': 'false',
  'from_net_a': 'false',
  'ignore_missing_vars': 'false',
}

_FOLDER = re.compile(r'(\d+)_\w')  # of a train_dir of a phase

# Flags of the whole command: its data and files, and what TensorFlow reads once per process.
_COMMAND_FLAGS = (
  *('phase', 'train_dir', 'data_dir', 'flagfile', 'recipe', 'quiet', 'verbose'),
  *('num_threads', 'gpus', 'gpu_memory_growth'),
)


class Phase(NamedTuple):
  """A phase of a run.

  Attributes:
    folder: name of its train_dir within that of the command.
    overrides: values of its flags, as text, by name.
  """

  folder: str
  overrides: dict[str, str]


def define_phase_flag() -> None:
  """Defines --phase, which may be repeated."""
  flags.DEFINE_multi_string(
    'phase',
    [],
    "Phase of the run: its name, then the flags that differ in it, such as 'head epochs=5 "
    "trainable_scopes=head'. Repeat the flag for each phase, in order. Every phase starts from the "
    'checkpoint of the one before (with --keep_best, from its best) and has its own train_dir '
    'within --train_dir. The same command resumes the phase that was interrupted. After a flag '
    'file, a phase replaces the one of the same name in the file.',
  )


def phases_from_flags() -> list[Phase]:
  """Returns the phases in order; an empty list without --phase.

  Raises:
    ConfigError: a name cannot be that of a folder, or a phase cannot change a flag.
  """
  return [_parse(number, text) for number, text in enumerate(flags.FLAGS.phase, start=1)]


def _parse(number: int, text: str) -> Phase:
  name, settings = _split(text)
  if not re.fullmatch(r'\w[\w.-]*', name):
    raise ConfigError(f'--phase={text!r}: must start with a name of letters, digits, - and _.')
  overrides = {}
  for setting in settings:
    flag, has_value, value = setting.removeprefix('--').partition('=')
    if flag not in flags.FLAGS or flag in _COMMAND_FLAGS:
      raise ConfigError(f'--phase={text!r}: {flag!r} is not a flag that a phase can change.')
    overrides[flag] = value if has_value else 'true'
  return Phase(f'{number}_{name}', overrides)


def replace(before: list[str], after: list[str]) -> tuple[list[str], list[str], list[str]]:
  """Lets arguments win over the phases of a flag file before them.

  Args:
    before: arguments up to the end of the last flag file, with the flags of the files.
    after: arguments after it.

  Returns:
    `before` and `after` as the command is to parse them, and one line for each value or phase of
    `before` that is replaced.
  """
  before, after = _join_values(before), _join_values(after)
  given = {name: argument for argument in after if (name := _flag_name(argument))}
  own = {_split(text)[0]: text for text in map(_phase_text, after) if text is not None}
  arguments, notes, replaced = [], [], set()
  for argument in before:
    text = _phase_text(argument)
    if text is None:
      arguments.append(argument)
      continue
    name, settings = _split(text)
    if name in own:
      replaced.add(name)
      notes.append(f'--phase={own[name]!r} replaces {text!r} of the flag file.')
      arguments.append(f'--phase={own[name]}')
      continue
    won = [setting for setting in settings if _setting_name(setting) in given]
    notes += [
      f'{given[_setting_name(setting)]} replaces {setting} in phase {name} of the flag file.'
      for setting in won
    ]
    arguments.append(f'--phase={" ".join([name, *(s for s in settings if s not in won)])}')
  left = [a for a in after if (text := _phase_text(a)) is None or _split(text)[0] not in replaced]
  return arguments, left, notes


def _join_values(arguments: list[str]) -> list[str]:
  """Returns `arguments` with each `--phase TEXT` written as `--phase=TEXT`."""
  joined, remaining = [], iter(arguments)
  for argument in remaining:
    is_apart = argument in ('--phase', '-phase')
    joined.append(f'--phase={next(remaining, "")}' if is_apart else argument)
  return joined


def _phase_text(argument: str) -> str | None:
  flag, _, text = argument.partition('=')
  return text if flag in ('--phase', '-phase') else None


def _flag_name(argument: str) -> str | None:
  """Returns the name of the flag that `argument` sets, `flip` for `--noflip`; None for a value."""
  name = argument.lstrip('-').partition('=')[0]
  if not argument.startswith('-'):
    return None
  return name if name in flags.FLAGS else name.removeprefix('no')


def _split(text: str) -> tuple[str, list[str]]:
  """Returns the name of a phase and its settings."""
  name, *settings = text.split() or ['']
  return name, settings


def _setting_name(setting: str) -> str:
  return setting.removeprefix('--').partition('=')[0]


def following(checkpoint: str, phase: Phase) -> Phase:
  """Returns `phase` with the last phase's checkpoint as its start, unless it names another."""
  start = '' if phase.overrides.get('weights') else checkpoint
  return phase._replace(overrides={'checkpoint_path': start, **_FULL_RESTORE, **phase.overrides})


@contextlib.contextmanager
def applied(phase: Phase) -> Iterator[None]:
  """Sets the flags to the values of the phase within the block.

  Raises:
    ConfigError: a value is invalid for its flag.
  """
  before = {name: vars(flags.FLAGS[name]).copy() for name in phase.overrides}
  try:
    for name, text in phase.overrides.items():
      try:
        flags.FLAGS[name].parse(text)
      except flags.Error as error:
        raise ConfigError(f'Phase {phase.folder}: {error}') from error
    yield
  finally:
    for name, attributes in before.items():
      vars(flags.FLAGS[name]).update(attributes)


def find(folder: str) -> list[str]:
  """Returns the train_dirs of the phases of a run in `folder`, in order."""
  names = [path.parent.name for path in pathlib.Path(folder).glob(f'*/{CONFIG_FILE}')]
  numbers = {name: int(match[1]) for name in names if (match := _FOLDER.match(name))}
  return [os.path.join(folder, name) for name in sorted(numbers, key=lambda name: numbers[name])]


def read_history(folder: str) -> list['EpochMetrics']:
  """Returns the epochs of a run in `folder`; those of phases follow each other.

  Raises:
    CheckpointError: the folder does not exist, is not that of a run, or no epoch has ended yet.
  """
  from vgg_slim.training import history

  if os.path.exists(os.path.join(folder, history.METRICS_FILE)):
    return history.read_history(folder)
  parts = find(folder)
  if not parts:
    read_train_config(folder)  # says that there is no such folder, or that it is not a train_dir
    return history.read_history(folder)
  rows: list[EpochMetrics] = []
  for number, part in enumerate(parts):
    before = rows[-1].epoch if rows else 0.0
    # A later phase may have begun without having ended an epoch.
    is_empty = number and not os.path.exists(os.path.join(part, history.METRICS_FILE))
    added = [] if is_empty else history.read_history(part)
    rows += [row._replace(epoch=before + row.epoch) for row in added]
  return rows


def check_folder(folder: str, has_phases: bool) -> None:
  """Raises CheckpointError for a run with phases in the folder of one without, and vice versa."""
  begun = find(folder)
  if has_phases and prefixes.list_candidates(folder):
    raise CheckpointError(
      f'--phase: {folder} holds a run without phases. Leave --phase out to resume that run, or '
      f'give another --train_dir; --checkpoint_path={folder} then starts the first phase from its '
      'weights.'
    )
  if begun and not has_phases:
    raise CheckpointError(
      f'{folder} holds a run with phases: {", ".join(begun)}. Resume it with the same --phase '
      'flags, or give another --train_dir.'
    )


def train_dir(parent: str, phase: Phase) -> str:
  """Returns the train_dir of a phase of a run in `parent`."""
  return os.path.join(parent, phase.folder)
