"""TensorFlow 1.x names on current TensorFlow: `tf` (the graph mode API) and `slim`.

    from vgg_slim.compat import slim, tf

Importing this module does not change TensorFlow's global behavior, so that Keras still works: build
graphs inside `with tf.Graph().as_default():`, or call `tf.disable_v2_behavior()` once in your own
program. `install()` runs whole programs for TensorFlow 1 unmodified, as `tools/legacy` does.

Keras is not loaded, although TensorFlow would load it for its optimizers; neither is scikit-learn,
which tf_slim would load for its clustering losses. Without the two this import takes 2.5 s instead
of 5 s.

tf_slim 1.1.0 builds `batch_norm` on `tensorflow.python.layers`, which loads
`tf_keras.legacy_tf_layers` when it is first called; in tf_keras 2.21 that package is in
`tf_keras.src`. `_LegacyLayers` finds it there, and only when it is needed, since loading tf_keras
would take a tenth of the time of this import. Other names that tf_slim needs and TensorFlow moved
are in `aliases`. See docs/decisions/0001-tf-slim-on-tensorflow-2.21.md.
"""

import contextlib
import importlib
import importlib.abc
import importlib.machinery
import pathlib
import sys
import types
from collections.abc import Iterator

from vgg_slim.compat import aliases, supervising


@contextlib.contextmanager
def _absent(name: str) -> Iterator[None]:
  """Makes a module that is not loaded yet appear not installed; its importers work without it."""
  if name in sys.modules:
    yield
    return
  sys.modules[name] = None  # type: ignore[assignment]  # makes its import fail
  try:
    yield
  finally:
    del sys.modules[name]


with _absent('keras.src.optimizers'):
  import tensorflow.compat.v1 as tf


class _LegacyLayers(importlib.abc.MetaPathFinder, importlib.abc.Loader):
  """Finds `tf_keras.legacy_tf_layers` and its modules in their new package."""

  def find_spec(
    self, name: str, path: object = None, target: object = None
  ) -> importlib.machinery.ModuleSpec | None:
    if name.split('.')[:2] == ['tf_keras', 'legacy_tf_layers']:
      return importlib.machinery.ModuleSpec(name, self)
    return None

  def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
    return importlib.import_module(spec.name.replace('tf_keras', 'tf_keras.src', 1))

  def exec_module(self, module: types.ModuleType) -> None:
    """Does nothing: the module was executed when it was imported under its own name."""


sys.meta_path.append(_LegacyLayers())  # after all other finders

with _absent('sklearn'):
  import tf_slim as slim  # needs `_LegacyLayers`
  from tf_slim.ops import arg_scope as _arg_scope

aliases.restore()
aliases.show_sklearn()
supervising.enter_graphs()

__all__ = ['install', 'load_tflite_schema', 'own_arg_scopes', 'slim', 'tf']


def install(
  keep_v2: bool | None = None,
  python2: bool = False,
  scipy_misc: bool = False,
  allow_pickle: bool = False,
  quiet: bool = False,
) -> None:
  """Makes the files of this program see TensorFlow 1, as `tools/legacy` does for a script.

  Call it before the program imports TensorFlow or NumPy. It changes the process: how files outside
  of installed packages import, and with TensorFlow 1's behavior that of TensorFlow.

  Args:
    keep_v2: whether TensorFlow 2's behavior stays; decided from the program's text by default.
    python2: whether modules are translated from Python 2.
    scipy_misc: whether `scipy.misc` has its image functions.
    allow_pickle: whether `np.load` unpickles, which runs any code in the file.
    quiet: whether the line that tells what was done is left out.
  """
  installation = importlib.import_module('vgg_slim.compat.installation')
  path = getattr(sys.modules['__main__'], '__file__', None)
  options = installation.Options(keep_v2, python2, scipy_misc, allow_pickle)
  done = installation.prepare(path and pathlib.Path(path), options)
  if not quiet:
    print(f'vgg_slim: {done.summary}.', file=sys.stderr)


@contextlib.contextmanager
def own_arg_scopes() -> Iterator[None]:
  """Restores the scopes of `slim.arg_scope` after the block, whatever other threads entered.

  All threads share one stack of scopes, and the threads that build the replicas of a
  `tf.distribute` strategy take turns.
  """
  stack = _arg_scope._get_arg_stack()
  before = list(stack)
  try:
    yield
  finally:
    stack[:] = before


def load_tflite_schema() -> types.ModuleType:
  """Returns the classes that TensorFlow Lite files are parsed into, which `tf.lite` lacks."""
  return importlib.import_module('tensorflow.lite.python.schema_py_generated')
