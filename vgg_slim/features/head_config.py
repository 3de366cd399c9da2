"""Configuration of a head and its training on features. No TensorFlow."""

import dataclasses

from vgg_slim.configs.allowed import at_least, between, one_of, positive
from vgg_slim.configs.base import Config
from vgg_slim.configs.fields import setting
from vgg_slim.configs.net import CLASSIFIER_ACTIVATIONS, INITIALIZERS, NetConfig, Network
from vgg_slim.nets import head_specs

OPTIMIZERS = ('rmsprop', 'momentum', 'adam')


@dataclasses.dataclass(frozen=True)
class HeadConfig(Config):
  """A head and its training.

  Heads whose names start with 'average' average the feature map first; the others flatten it.
  """

  head: str = setting('fc256', help='Head to train.', allowed=one_of(sorted(head_specs.HEADS)))
  classifier_activation: str = setting(
    'softmax',
    help='Activation of the class scores: softmax, or sigmoid, a single logit for two classes.',
    allowed=one_of(CLASSIFIER_ACTIVATIONS),
  )
  fc_units: int = setting(
    4096, help='Number of units per layer of --head=vgg.', allowed=at_least(1)
  )
  dropout_keep_prob: float = setting(
    0.5, help='Probability that dropout keeps a unit.', allowed=between('(0, 1]')
  )
  initializer: str = setting(
    'glorot', help='Initializer of the weights.', allowed=one_of(INITIALIZERS)
  )
  optimizer: str = setting('rmsprop', help='Optimizer.', allowed=one_of(OPTIMIZERS))
  learning_rate: float = setting(1e-3, help='Constant learning rate.', allowed=positive())
  weight_decay: float = setting(
    0.0, help='Factor of half the sum of squared weights in the loss.', allowed=at_least(0)
  )
  batch_size: int = setting(32, help='Number of images per step.', allowed=at_least(1))
  epochs: int = setting(50, help='Number of passes over the features.', allowed=at_least(1))
  seed: int = setting(
    0,
    help='Random seed for weight initialization, shuffling and dropout.',
    allowed=between('[0, 2**31)'),
  )

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
