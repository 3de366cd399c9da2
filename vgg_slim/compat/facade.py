"""TensorFlow, NumPy and their modules as a script for TensorFlow 1 expects them.

`Facade.module` returns views: the real modules stay as they are, for TensorFlow itself, tf_slim,
Keras and all other packages.
"""

import importlib
import sys
import types
from collections.abc import Callable, Mapping

from vgg_slim.compat import absent, aliases, contrib, successors, views

Note = Callable[[str], None]

# Name in TensorFlow 1 -> where it is now, in addition to names of `tensorflow.compat.v1`.
_NAMES = {
  **{
    f'tensorflow.python.{alias.module}.{alias.name}': f'tensorflow.python.{alias.home}'
    for alias in aliases.ALIASES
  },
  'tensorflow.flags.FLAGS': 'vgg_slim.compat.old_flags.FLAGS',
  'tensorflow.app.flags.FLAGS': 'vgg_slim.compat.old_flags.FLAGS',
  'tensorflow.python.ops.rnn_cell': 'tensorflow.compat.v1.nn.rnn_cell',
  'tensorflow.python.ops.rnn_cell_impl': (
    'tensorflow.python.keras.layers.legacy_rnn.rnn_cell_impl'
  ),
  'matplotlib.cm.get_cmap': 'matplotlib.pyplot.get_cmap',
  'scipy.misc': 'vgg_slim.compat.scipy_misc',
  'tensorflow.pack': 'tensorflow.stack',
  'tensorflow.unpack': 'tensorflow.unstack',
  'tensorflow.mul': 'tensorflow.multiply',
  'tensorflow.sub': 'tensorflow.subtract',
  'tensorflow.neg': 'tensorflow.negative',
  'tensorflow.initialize_all_variables': 'tensorflow.compat.v1.global_variables_initializer',
  'tensorflow.select': 'tensorflow.compat.v1.where',
  'tensorflow.batch_matmul': 'tensorflow.matmul',
  'tensorflow.scalar_summary': 'tensorflow.compat.v1.summary.scalar',
  'tensorflow.histogram_summary': 'tensorflow.compat.v1.summary.histogram',
  'tensorflow.image_summary': 'tensorflow.compat.v1.summary.image',
  'tensorflow.merge_all_summaries': 'tensorflow.compat.v1.summary.merge_all',
  'tensorflow.merge_summary': 'tensorflow.compat.v1.summary.merge',
  'tensorflow.train.SummaryWriter': 'tensorflow.compat.v1.summary.FileWriter',
}
# These modules are where their names say; all others are attributes of a module of the API.
_REAL = ('tensorflow.compat', 'tensorflow.compat.v1', 'tensorflow.compat.v2')
_REAL_PACKAGES = ('tensorflow.python.', 'tensorflow.core.')
_IN_2_21 = ' in TensorFlow 2.21, and nothing that could stand for it is known'
_OWN = ('tensorflow', 'tf_keras', 'tf_slim', 'matplotlib', 'numpy', 'scipy', 'vgg_slim')


class Facade:
  """The views of modules, made when they are first asked for.

  Args:
    graph_mode: whether names of `tensorflow.compat.v1` come before those of `tensorflow`.
    note: is called with the full name of everything that is looked up.
    names: more names, and functions that return their values, such as those of NumPy.
  """

  def __init__(
    self,
    graph_mode: bool,
    note: Note = lambda name: None,
    names: Mapping[str, Callable[[], object]] | None = None,
  ) -> None:
    v1, v2 = 'tensorflow.compat.v1', 'tensorflow'
    self._tensorflow = (v1, v2) if graph_mode else (v2, v1)
    self._note = note
    self._names = dict(names or {})
    self._modules: dict[str, types.ModuleType | absent.Absent] = {}

  def module(self, path: str) -> types.ModuleType | absent.Absent:
    """Returns the view of a module, or what stands for one that has no successor.

    Raises:
      ModuleNotFoundError: there is no such module.
    """
    path = path.replace('tensorflow.compat.v1.contrib', contrib.ROOT)
    if path not in self._modules:
      self._modules[path] = self._new_module(path)
    return self._modules[path]

  def _new_module(self, path: str) -> types.ModuleType | absent.Absent:
    bases = self._bases(path)
    if bases is None:
      way = _nearest_way(path)
      if not way:
        where = _IN_2_21 if path.startswith('tensorflow.') else ''
        raise ModuleNotFoundError(f'No module named {path!r}{where}', name=path)
      return absent.Absent(_short(path), way)
    view = views.ModuleView(path, lambda name: self._look_up(path, name, bases), bases)
    view.__dict__['__path__'] = []
    return view

  def _bases(self, path: str) -> tuple[types.ModuleType, ...] | None:
    """Returns the modules that are searched for names of the module `path`, or None."""
    if path == 'tensorflow':
      return tuple(map(importlib.import_module, self._tensorflow))
    if path in _NAMES:
      return _only_modules(_NAMES[path])
    if path == contrib.ROOT or path.startswith(contrib.ROOT + '.'):
      homes = contrib.bases(_below_contrib(path))
      return None if homes is None else _only_modules(*homes, may_be_empty=not homes)
    parent, _, name = path.rpartition('.')
    if parent and path not in _REAL and not f'{path}.'.startswith(_REAL_PACKAGES):
      children = (_child(base, name) for base in self._bases(parent) or ())
      found = tuple(child for child in children if child is not None)
      if found:
        return found
    return _only_modules(path)

  def _look_up(self, path: str, name: str, bases: tuple[types.ModuleType, ...]) -> object:
    full = f'{path}.{name}'
    short = full.replace('tensorflow.compat.v1.', 'tensorflow.')
    if name == '__all__':
      return sorted({each for base in bases for each in dir(base) if not each.startswith('_')})
    if name.startswith('__') and name.endswith('__'):
      return _first(bases, name, full)
    self._note(full)
    if short in self._names:
      return self._names[short]()
    if full.startswith(contrib.ROOT + '.') and contrib.is_module(_below_contrib(full)):
      return self.module(full)
    home = _NAMES.get(short) or _contrib_name(full)
    value = views.find(home) if home else _first_or_missing(bases, name)
    if value is views.MISSING:
      value = self._elsewhere(full)
    if isinstance(value, types.ModuleType) and value.__name__.split('.')[0] in _OWN:
      return self.module(full)
    return value

  def _elsewhere(self, full: str) -> object:
    if self._bases(full) is not None:
      return self.module(full)
    way = _nearest_way(full)
    if way:
      return absent.Absent(_short(full), way)
    value = moved(full)
    if value is views.MISSING:
      module, _, name = full.rpartition('.')
      where = _IN_2_21 if full.startswith('tensorflow.') else ''
      raise AttributeError(f'module {module!r} has no attribute {name!r}{where}')
    return value


def moved(full: str) -> object:
  """Returns a private name of TensorFlow that is now defined in another module, or MISSING.

  TensorFlow split `control_flow_ops`, `array_ops`, `ops` and others: the name is searched among all
  modules of the same package that are loaded, and taken if exactly one of them defines it.

  Args:
    full: name where it was, such as 'tensorflow.python.ops.control_flow_ops.cond'.
  """
  module, _, name = full.rpartition('.')
  package = module.rpartition('.')[0]
  if not package.startswith('tensorflow.python.'):
    return views.MISSING
  others = [other for other in sorted(sys.modules) if other.startswith(package + '.')]
  values = [vars(sys.modules[other]).get(name) for other in others]
  defined = [
    v for other, v in zip(others, values, strict=True) if getattr(v, '__module__', None) == other
  ]
  return defined[0] if len(defined) == 1 else views.MISSING


def _contrib_name(full: str) -> str | None:
  if not full.startswith(contrib.ROOT + '.'):
    return None
  return contrib.NAMES.get(contrib.normalize(_below_contrib(full)))


def _below_contrib(full: str) -> str:
  return full[len(contrib.ROOT) + 1 :]


def _only_modules(*paths: str, may_be_empty: bool = False) -> tuple[types.ModuleType, ...] | None:
  found = []
  for path in paths:
    try:
      value = views.find(path)
    except (AttributeError, ImportError):
      continue
    if isinstance(value, types.ModuleType):
      found.append(value)
  return tuple(found) if found or may_be_empty else None


def _child(module: types.ModuleType, name: str) -> types.ModuleType | None:
  try:
    value = getattr(module, name, None)
  except ImportError:  # a lazy loader of a package that is not installed
    return None
  return value if isinstance(value, types.ModuleType) else None


def _first_or_missing(bases: tuple[types.ModuleType, ...], name: str) -> object:
  for base in bases:
    value = getattr(base, name, views.MISSING)
    if value is not views.MISSING:
      return value
  return views.MISSING


def _first(bases: tuple[types.ModuleType, ...], name: str, full: str) -> object:
  value = _first_or_missing(bases, name)
  if value is views.MISSING:
    raise AttributeError(full)
  return value


def _short(full: str) -> str:
  return full.replace('tensorflow.', 'tf.', 1)


def _nearest_way(full: str) -> str | None:
  name = full.removeprefix('tensorflow.')
  return None if name == full else successors.nearest_way(name)


def home(full: str) -> str | None:
  """Returns where a private name of TensorFlow is today, or None if it did not move."""
  module, _, name = full.rpartition('.')
  if not module.startswith('tensorflow.python.'):
    return None
  if full in _NAMES:
    return _NAMES[full]
  defined_in = str(getattr(moved(full), '__module__', module))
  return None if defined_in == module else f'{defined_in}.{name}'
