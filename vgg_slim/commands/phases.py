"""Phases of a training run: the same command with some flags changed, each starting from the last.

Each --phase gives the name of a phase and its flags:

  --phase='head epochs=5 learning_rate=1e-3 trainable_scopes=head'
  --phase='all  epochs=10 learning_rate=1e-5'

A flag without a value is a switch: `from_net_a`. All other flags are those of the command.
"""

import contextlib
import os
import re
from collections.abc import Iterator
from typing import NamedTuple

from absl import flags

from vgg_slim.checkpoints import prefixes
from vgg_slim.errors import ConfigError

flags.disclaim_key_flags()

# How the first phase restores its checkpoint. Later phases restore all of the one before.
_FULL_RESTORE = {
  'checkpoint_exclude_scopes': '',
  'new_head': 'false',
  'from_net_a': 'false',
  'ignore_missing_vars': 'false',
}

# Flags of the whole command: its data and files, and what TensorFlow reads once per process.
_COMMAND_FLAGS = (
  *('phase', 'train_dir', 'data_dir', 'flagfile', 'quiet', 'verbose'),
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
    'within --train_dir. The same command resumes the phase that was interrupted.',
  )


def phases_from_flags() -> list[Phase]:
  """Returns the phases in order; an empty list without --phase.

  Raises:
    ConfigError: a name cannot be that of a folder, or a phase cannot change a flag.
  """
  return [_parse(number, text) for number, text in enumerate(flags.FLAGS.phase, start=1)]


def _parse(number: int, text: str) -> Phase:
  name, *settings = text.split()
  if not re.fullmatch(r'\w[\w.-]*', name):
    raise ConfigError(f'--phase={text!r}: must start with a name of letters, digits, - and _.')
  overrides = {}
  for setting in settings:
    flag, has_value, value = setting.removeprefix('--').partition('=')
    if flag not in flags.FLAGS or flag in _COMMAND_FLAGS:
      raise ConfigError(f'--phase={text!r}: {flag!r} is not a flag that a phase can change.')
    overrides[flag] = value if has_value else 'true'
  return Phase(f'{number}_{name}', overrides)


def following(checkpoint: str, phase: Phase) -> Phase:
  """Returns `phase` with the last phase's checkpoint as its start, unless it names another."""
  return phase._replace(
    overrides={'checkpoint_path': checkpoint, **_FULL_RESTORE, **phase.overrides}
  )


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


def check_parent(parent: str) -> None:
  """Raises ConfigError where the folder for the phases holds a run of its own."""
  if prefixes.list_candidates(parent):
    raise ConfigError(
      f'--phase: {parent} holds a run without phases. Leave --phase out to resume that run, or '
      f'give another --train_dir; --checkpoint_path={parent} then starts the first phase from its '
      'weights.'
    )


def train_dir(parent: str, phase: Phase) -> str:
  """Returns the train_dir of a phase of a run in `parent`."""
  return os.path.join(parent, phase.folder)
