"""VGG and ResNet image classification in TensorFlow-1.x graph style."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
  from vgg_slim.api import Evaluator, Inference, Predictor, Training, build, load, train

__version__ = '0.2.0'

__all__ = [
  'Evaluator',
  'Inference',
  'Predictor',
  'Training',
  '__version__',
  'build',
  'load',
  'train',
]


def __getattr__(name: str) -> Any:
  """Imports `vgg_slim.api`, and with it TensorFlow, when one of its names is first used."""
  if name in __all__:
    return getattr(importlib.import_module('vgg_slim.api'), name)
  raise AttributeError(f'module {__name__!r} has no attribute {name!r}')


def __dir__() -> list[str]:
  return sorted({*globals(), *__all__})
