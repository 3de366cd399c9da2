"""Reader of flag files, with the numbers, lists and phases in them."""

import pathlib

from absl import flags
from absl.testing import flagsaver

from tests.fuzzing import damage
from tests.fuzzing.execution import Reader
from vgg_slim.commands import flag_files, phases
from vgg_slim.errors import ConfigError

_TEXT = """# A comment
--model=vgg16
--learning_rate=0.01
--boundaries_epochs=3,6
--rgb_mean=1,2,3
--batch_size=32
--phase=head epochs=5 learning_rate=1e-3
--phase=all epochs=1
"""


def make_readers(folder: pathlib.Path) -> dict[str, Reader]:
  """Writes an honest flag file into `folder`; returns its reader by name."""
  from vgg_slim.commands import train  # defines flags, of which each process can have one set

  path = folder / 'recipe.flags'
  path.write_text(_TEXT, encoding='utf-8')
  return {'flag file': Reader(path, lambda: _read(path, train.__name__), damage.of_bytes)}


def _read(path: pathlib.Path, name: str) -> None:
  """Does what a command does with the flag file, up to its own work."""
  with flagsaver.flagsaver():
    try:
      argv, _ = flag_files.expand([name, f'--flagfile={path}'])
      flags.FLAGS(argv)
    except (flags.Error, UnicodeDecodeError, RecursionError) as error:  # as in `invocation.run`
      raise ConfigError(str(error) or 'wrong flags') from error
    for phase in phases.phases_from_flags():
      with phases.applied(phase):
        pass
