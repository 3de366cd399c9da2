"""The names of a script that TensorFlow 2.21 and NumPy no longer have, with their successors."""

import importlib
import sys
from typing import NamedTuple

from vgg_slim.compat import contrib, facade, importing, numpy_names, scanning, successors, views


class Row(NamedTuple):
  """One deprecated name."""

  name: str
  use: scanning.Use
  successor: str


class Recorder:
  """Keeps the first use of each name that the files of a script look up.

  Args:
    names: uses that are known already.
  """

  def __init__(self, names: dict[str, scanning.Use]) -> None:
    self.names = dict(names)

  def __call__(self, name: str) -> None:
    """Records a use of `name` by the file of the script that is running."""
    if name not in self.names:
      frame = sys._getframe(1)
      while frame.f_back and not importing.is_script(frame.f_globals):
        frame = frame.f_back
      self.names[name] = scanning.Use(frame.f_code.co_filename, frame.f_lineno)

  def rows(self) -> list[Row]:
    """Returns the deprecated names, by name."""
    rows = []
    for name, use in sorted(self.names.items()):
      successor = find_successor(name)
      if successor:
        rows.append(Row(successors.spell(name), use, successor))
    return [row for row in rows if not _has_longer(row, rows)]


def find_successor(name: str) -> str | None:
  """Returns what to write instead of a full name, or None if it is not deprecated."""
  if name.startswith('numpy.'):
    return _numpy_successor(name.removeprefix('numpy.'))
  if name.startswith('scipy.misc.'):
    return 'Pillow or imageio'
  if not name.startswith('tensorflow.'):
    return None
  short = name.removeprefix('tensorflow.').removeprefix('compat.v1.')
  way = successors.nearest_way(short)
  if way:
    return f'none: {way}'
  if short.startswith('contrib.'):
    return successors.CONTRIB_REPLACEMENTS.get(contrib.normalize(short[8:]).partition('.')[0])
  renames = importlib.import_module('tensorflow.tools.compatibility.all_renames_v2')
  renamed = renames.symbol_renames.get(f'tf.{short}')
  if renamed:
    return str(renamed)
  return facade.home(name)


def _numpy_successor(name: str) -> str | None:
  value = numpy_names.NAMES.get(name, views.MISSING)
  if value is views.MISSING:
    return None
  if isinstance(value, type) and value.__module__ == 'builtins':
    return value.__name__
  return numpy_names.SUCCESSORS.get(name, f'np.{getattr(value, "__name__", value)}')


def _has_longer(row: Row, rows: list[Row]) -> bool:
  """Whether another row says the same of a longer name, such as tf.app.flags.FLAGS."""
  return any(other.name.startswith(f'{row.name}.') for other in rows)


def text(rows: list[Row]) -> str:
  """Returns the table that `--report` prints."""
  if not rows:
    return 'The script used no name that TensorFlow 2.21 or NumPy has deprecated.'
  table = [('deprecated', 'first use', 'successor')]
  table += [(row.name, str(row.use), row.successor) for row in rows]
  names, uses = (max(len(line[column]) for line in table) for column in (0, 1))
  return '\n'.join(f'{name:{names}}  {use:{uses}}  {way}' for name, use, way in table)
