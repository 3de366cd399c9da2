"""Phases of a training run: the same command with a few flags changed, each from the one before.

A phase is a name and flags, in one --phase each:

  --phase='head epochs=5 learning_rate=1e-3 trainable_scopes=head'
  --phase='all  epochs=10 learning_rate=1e-5'

A flag without a value is a switch: `from_net_a`. What a phase does not name is as in the command.
"""

import contextlib
import os
import re
from collections.abc import Iterator
from typing import NamedTuple

from absl import flags

from vgg_slim.errors import ConfigError

flags.disclaim_key_flags()

# How the first phase takes its checkpoint; the later ones take all of the phase before.
_OF_THE_FIRST = {
  'checkpoint_exclude_scopes': '',
  'new_head': 'false',
  'from_net_a': 'false',
  'ignore_missing_vars': 'false',
}

# Of the command: where its data and files are, and what TensorFlow takes once a process.
_OF_ALL_PHASES = (
  *('phase', 'train_dir', 'data_dir', 'flagfile', 'quiet', 'verbose'),
  *('num_threads', 'gpus', 'gpu_memory_growth'),
)


class Phase(NamedTuple):
  """Flags by name, as text; `folder` is its train_dir below the command's."""

  folder: str
  overrides: dict[str, str]


def define_phase_flag() -> None:
  """--phase, which may be repeated."""
  flags.DEFINE_multi_string(
    'phase',
    [],
    "A part of the run: its name, then flags that differ in it, such as 'head epochs=5 "
    "trainable_scopes=head'. Give one for each part, in order; every part starts from the "
    'checkpoint of the one before (from its best with --keep_best) and has a train_dir of its own '
    'in --train_dir. The same command resumes the part that was interrupted.',
  )


def phases_from_flags() -> list[Phase]:
  """The phases in their order; none without --phase.

  Raises:
    ConfigError: a name that is no folder's, or a flag that is none of a phase's.
  """
  return [_parse(number, text) for number, text in enumerate(flags.FLAGS.phase, start=1)]


def _parse(number: int, text: str) -> Phase:
  name, *settings = text.split()
  if not re.fullmatch(r'\w[\w.-]*', name):
    raise ConfigError(f'--phase={text!r}: it starts with a name of letters, digits, - and _.')
  overrides = {}
  for setting in settings:
    flag, has_value, value = setting.removeprefix('--').partition('=')
    if flag not in flags.FLAGS or flag in _OF_ALL_PHASES:
      raise ConfigError(f'--phase={text!r}: {flag!r} is no flag that a phase can change.')
    overrides[flag] = value if has_value else 'true'
  return Phase(f'{number}_{name}', overrides)


def following(checkpoint: str, phase: Phase) -> Phase:
  """`phase` with the checkpoint of the one before as its start, unless it names another."""
  return phase._replace(
    overrides={'checkpoint_path': checkpoint, **_OF_THE_FIRST, **phase.overrides}
  )


@contextlib.contextmanager
def applied(phase: Phase) -> Iterator[None]:
  """Within the block the flags have the values of the phase.

  Raises:
    ConfigError: a value that its flag does not take.
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


def train_dir(parent: str, phase: Phase) -> str:
  """Where a phase of a run in `parent` keeps its files."""
  return os.path.join(parent, phase.folder)
