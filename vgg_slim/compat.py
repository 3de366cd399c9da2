"""TensorFlow 1.x names on today's TensorFlow: `tf` (graph mode API) and `slim`.

    from vgg_slim.compat import slim, tf

Importing this module leaves TensorFlow's switches alone, so that Keras works beside it: build
inside `with tf.Graph().as_default():`, or call `tf.disable_v2_behavior()` once in your own program.

Keras itself is not loaded: TensorFlow would for the sake of its optimisers, and tf_slim loads
scikit-learn for its clustering losses. Without the two this import takes 2.5 s and not 5 s.

tf_slim 1.1.0 builds `batch_norm` on `tensorflow.python.layers`, which loads
`tf_keras.legacy_tf_layers` when it is first called; tf_keras 2.21 keeps that package under
`tf_keras.src`. `_LegacyLayers` finds it there, and only then: tf_keras is a tenth of the work of
this import. See docs/decisions/0001-tf-slim-on-tensorflow-2.21.md.
"""

import contextlib
import importlib
import importlib.abc
import importlib.machinery
import sys
import types
from collections.abc import Iterator


@contextlib.contextmanager
def _absent(name: str) -> Iterator[None]:
  """Lets a module that is not loaded yet count as not installed; its importers can do without."""
  if name in sys.modules:
    yield
    return
  sys.modules[name] = None
  try:
    yield
  finally:
    del sys.modules[name]


with _absent('keras.src.optimizers'):
  import tensorflow.compat.v1 as tf


class _LegacyLayers(importlib.abc.MetaPathFinder, importlib.abc.Loader):
  """Finds `tf_keras.legacy_tf_layers` and its modules where tf_keras keeps them now."""

  def find_spec(
    self, name: str, path: object = None, target: object = None
  ) -> importlib.machinery.ModuleSpec | None:
    if name.split('.')[:2] == ['tf_keras', 'legacy_tf_layers']:
      return importlib.machinery.ModuleSpec(name, self)
    return None

  def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
    return importlib.import_module(spec.name.replace('tf_keras', 'tf_keras.src', 1))

  def exec_module(self, module: types.ModuleType) -> None:
    """It ran when it was imported by its own name."""


sys.meta_path.append(_LegacyLayers())  # asked after all others

with _absent('sklearn'):
  import tf_slim as slim  # needs the alias
  from tf_slim.ops import arg_scope as _arg_scope

__all__ = ['load_tflite_schema', 'own_arg_scopes', 'slim', 'tf']


@contextlib.contextmanager
def own_arg_scopes() -> Iterator[None]:
  """After the block the scopes of `slim.arg_scope` are those before it, whoever ran meanwhile.

  All threads share one stack of them, and the replicas of a `tf.distribute` strategy are built by
  threads that take turns.
  """
  stack = _arg_scope._get_arg_stack()
  before = list(stack)
  try:
    yield
  finally:
    stack[:] = before


def load_tflite_schema() -> types.ModuleType:
  """The classes that a TensorFlow Lite file is parsed into; `tf.lite` does not name them."""
  return importlib.import_module('tensorflow.lite.python.schema_py_generated')
