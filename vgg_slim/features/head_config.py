"""Configuration of a head and its training on features. No TensorFlow."""

import dataclasses

from vgg_slim.configs.checks import Checks
from vgg_slim.configs.net import CLASSIFIER_ACTIVATIONS

OPTIMIZERS = ('rmsprop', 'momentum', 'adam')


@dataclasses.dataclass(frozen=True)
class HeadConfig:
  """Settings of a head and its training.

  Attributes:
    head: name from `head_specs.HEADS`. Heads that start with 'average' average the feature map; the
      others flatten it.
    classifier_activation: 'softmax', or 'sigmoid' for one logit and two classes.
    fc_units: number of units of the hidden layers, for heads that do not define it.
    dropout_keep_prob: probability that a unit is kept, for every dropout layer of the head.
    initializer: initializer of the weights.
    optimizer: name from OPTIMIZERS.
    learning_rate: learning rate of all steps.
    weight_decay: factor of sum(w**2) / 2 in the loss.
    batch_size: number of images per step; the last batch of an epoch may be smaller.
    epochs: number of passes over the features.
    seed: random seed for weight initialization, shuffling and dropout.
  """

  head: str = 'fc256'
  classifier_activation: str = 'softmax'
  fc_units: int = 4096
  dropout_keep_prob: float = 0.5
  initializer: str = 'glorot'
  optimizer: str = 'rmsprop'
  learning_rate: float = 1e-3
  weight_decay: float = 0.0
  batch_size: int = 32
  epochs: int = 50
  seed: int = 0

  def __post_init__(self):
    checks = Checks(self)
    checks.require(self.optimizer in OPTIMIZERS, 'optimizer', f'one of {OPTIMIZERS}')
    is_known = self.classifier_activation in CLASSIFIER_ACTIVATIONS
    checks.require(is_known, 'classifier_activation', f'one of {CLASSIFIER_ACTIVATIONS}')
    checks.require(self.learning_rate > 0, 'learning_rate', 'positive')
    checks.require(0 < self.dropout_keep_prob <= 1, 'dropout_keep_prob', 'in (0, 1]')
    checks.require(self.weight_decay >= 0, 'weight_decay', 'at least 0')
    checks.require(self.batch_size >= 1, 'batch_size', 'at least 1')
    checks.require(self.epochs >= 1, 'epochs', 'at least 1')
    checks.raise_all()
