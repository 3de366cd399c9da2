"""TensorFlow 1.x names on today's TensorFlow: `tf` (graph mode API) and `slim`.

    from vgg_slim.compat import slim, tf

Importing this module leaves TensorFlow's switches alone, so that Keras works beside it: build
inside `with tf.Graph().as_default():`, or call `tf.disable_v2_behavior()` once in your own program.

Keras itself is not loaded: TensorFlow would for the sake of its optimisers, and tf_slim loads
scikit-learn for its clustering losses. Without the two this import takes 2.5 s and not 5 s.

tf_slim 1.1.0 builds `batch_norm` on `tensorflow.python.layers`, which loads
`tf_keras.legacy_tf_layers`; tf_keras 2.21 keeps that package under `tf_keras.src`. The alias below
has to stand before tf_slim is used. See docs/decisions/0001-tf-slim-on-tensorflow-2.21.md.
"""

import contextlib
import importlib
import sys
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

_LEGACY_LAYERS = 'legacy_tf_layers'
_LEGACY_LAYERS_MODULES = ('base', 'convolutional', 'core', 'normalization', 'pooling')


def _alias_legacy_layers() -> None:
  for name in (_LEGACY_LAYERS, *(f'{_LEGACY_LAYERS}.{m}' for m in _LEGACY_LAYERS_MODULES)):
    sys.modules.setdefault(f'tf_keras.{name}', importlib.import_module(f'tf_keras.src.{name}'))


_alias_legacy_layers()

with _absent('sklearn'):
  import tf_slim as slim  # needs the alias
  from tf_slim.ops import arg_scope as _arg_scope

__all__ = ['own_arg_scopes', 'slim', 'tf']


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
