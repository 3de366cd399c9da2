"""TensorFlow 1.x names on today's TensorFlow: `tf` (graph mode API) and `slim`.

    from vgg_slim.compat import slim, tf

Importing this module leaves TensorFlow's switches alone, so that Keras works beside it: build
inside `with tf.Graph().as_default():`, or call `tf.disable_v2_behavior()` once in your own program.

tf_slim 1.1.0 builds `batch_norm` on `tensorflow.python.layers`, which loads
`tf_keras.legacy_tf_layers`; tf_keras 2.21 keeps that package under `tf_keras.src`. The alias below
has to stand before tf_slim is used. See docs/decisions/0001-tf-slim-on-tensorflow-2.21.md.
"""

import importlib
import sys

import tensorflow.compat.v1 as tf

_LEGACY_LAYERS = 'legacy_tf_layers'
_LEGACY_LAYERS_MODULES = ('base', 'convolutional', 'core', 'normalization', 'pooling')


def _alias_legacy_layers() -> None:
  for name in (_LEGACY_LAYERS, *(f'{_LEGACY_LAYERS}.{m}' for m in _LEGACY_LAYERS_MODULES)):
    sys.modules.setdefault(f'tf_keras.{name}', importlib.import_module(f'tf_keras.src.{name}'))


_alias_legacy_layers()

import tf_slim as slim  # noqa: E402  (needs the alias)

__all__ = ['slim', 'tf']
