"""Configuration of a head and its training on features. No TensorFlow."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, NamedTuple

from vgg_slim.configs.allowed import at_least, between, one_of, positive, weights
from vgg_slim.configs.base import Config
from vgg_slim.configs.checks import Checks
from vgg_slim.configs.fields import setting
from vgg_slim.configs.net import CLASSIFIER_ACTIVATIONS, INITIALIZERS, NetConfig, Network
from vgg_slim.configs.run import BALANCED_TWICE, RunConfig
from vgg_slim.nets import head_specs

_FEWEST_STEPS = 1500
_FEWEST_EPOCHS, _MOST_EPOCHS = 20, 500  # by default
_HIDDEN_WEIGHT_DECAY = 1e-5


class Recipe(NamedTuple):
  """Settings of a training that depend on the head and on the data set."""

  optimizer: str
  learning_rate: float
  weight_decay: float
  epochs: int


class _Rates(NamedTuple):
  """Default learning rates of an optimizer for heads without and with hidden layers.

  They are for features whose vector has length 1 on average. The curvature of the loss of a linear
  head is at most 1/2 then, so that a momentum of 0.9 is stable up to a rate of 7.6.
  """

  linear: float
  hidden: float


_RATES = {
  'momentum': _Rates(7.0, 0.1),
  'adam': _Rates(1e-2, 2e-3),
  'rmsprop': _Rates(1e-2, 1e-3),
}
OPTIMIZERS = tuple(_RATES)


def _as_in_a_run(name: str) -> Any:
  """The setting of that name in `RunConfig`."""
  field = RunConfig.__dataclass_fields__[name]
  return dataclasses.field(default=field.default, metadata=field.metadata)


@dataclasses.dataclass(frozen=True)
class HeadConfig(Config):
  """A head and its training.

  Heads whose names start with 'average' average the feature map first; the others flatten it.
  """

  head: str = setting(
    'average',
    help='Head to train. average takes the mean of each feature map, and has no hidden layers.',
    allowed=one_of(sorted(head_specs.HEADS)),
  )
  classifier_activation: str = setting(
    'softmax',
    help='Activation of the class scores: softmax, or sigmoid, a single logit for two classes.',
    allowed=one_of(CLASSIFIER_ACTIVATIONS),
  )
  fc_units: int = setting(
    NetConfig.fc_units, help='Number of units per layer of --head=vgg.', allowed=at_least(1)
  )
  dropout_keep_prob: float = setting(
    0.5, help='Probability that dropout keeps a unit.', allowed=between('(0, 1]')
  )
  initializer: str = setting(
    'glorot',
    help='Initializer of the hidden layers; the class scores start at 0.',
    allowed=one_of(INITIALIZERS),
  )
  optimizer: str | None = setting(
    None,
    help='Optimizer. Defaults to adam for heads with hidden layers, and to momentum for others.',
    allowed=one_of(OPTIMIZERS),
  )
  learning_rate: float | None = setting(
    None,
    help='Learning rate of the first step; it falls to 0 along half a cosine. The default depends '
    'on the optimizer and on whether the head has hidden layers, and is printed.',
    allowed=positive(),
  )
  weight_decay: float | None = setting(
    None,
    help='Factor of half the sum of squared weights in the loss. Defaults to '
    f'{_HIDDEN_WEIGHT_DECAY:g} for heads with hidden layers; for others it is chosen by '
    'cross-validation on the training split.',
    allowed=at_least(0),
  )
  batch_size: int = setting(32, help='Number of images per step.', allowed=at_least(1))
  epochs: int | None = setting(
    None,
    help=f'Number of passes over the features. Defaults to {_FEWEST_EPOCHS}, or to up to '
    f'{_MOST_EPOCHS} if that is less than {_FEWEST_STEPS} steps.',
    allowed=at_least(1),
  )
  class_weights: tuple[float, ...] = setting(
    (),
    help='Weight of each class in the training loss, in the order of the labels; empty if all '
    'images weigh the same.',
    allowed=weights(),
    has_flag=False,
  )
  balanced_batches: bool = setting(
    False,
    help='Draw images so that all classes come equally often; an epoch keeps its number of images.',
  )
  best_metric: str = _as_in_a_run('best_metric')
  early_stop_patience: int | None = _as_in_a_run('early_stop_patience')
  early_stop_min_delta: float = _as_in_a_run('early_stop_min_delta')
  seed: int = setting(
    0,
    help='Random seed for weight initialization, shuffling and dropout.',
    allowed=between('[0, 2**31)'),
  )

  def _check_together(self, checks: Checks) -> None:
    if self.class_weights and self.balanced_batches:
      checks.add([BALANCED_TWICE])

  def complete(self, trunk: Network, num_classes: int) -> NetConfig:
    """Returns the network of this head on a trunk."""
    return NetConfig(
      num_classes,
      trunk.model,
      self.head,
      trunk.image_size,
      self.fc_units,
      self.classifier_activation,
      self.dropout_keep_prob,
      self.initializer,
    )

  def choose_recipe(self, num_examples: int, choose_weight_decay: Callable[[], float]) -> Recipe:
    """Returns the settings of the training: those that are given, and what suits the head.

    Args:
      num_examples: number of training images.
      choose_weight_decay: function that finds the weight decay of a linear head.
    """
    has_hidden_layers = bool(head_specs.get(self.head).hidden)
    optimizer = self.optimizer or ('adam' if has_hidden_layers else 'momentum')
    rates = _RATES[optimizer]
    decay = self.weight_decay
    if decay is None:
      decay = _HIDDEN_WEIGHT_DECAY if has_hidden_layers else choose_weight_decay()
    needed = math.ceil(_FEWEST_STEPS * self.batch_size / num_examples)
    return Recipe(
      optimizer,
      self.learning_rate or (rates.hidden if has_hidden_layers else rates.linear),
      decay,
      self.epochs or min(max(_FEWEST_EPOCHS, needed), _MOST_EPOCHS),
    )
