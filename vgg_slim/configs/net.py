"""Settings of the network."""

import dataclasses
import functools

from vgg_slim.configs.allowed import Allowed, at_least, between, one_of
from vgg_slim.configs.base import Config
from vgg_slim.configs.checks import Checks
from vgg_slim.configs.fields import REFUSED, setting
from vgg_slim.constants import FC_UNITS, IMAGE_SIDE

INITIALIZERS = ('he', 'glorot', 'normal')
CLASSIFIER_ACTIVATIONS = ('softmax', 'sigmoid')
# A trunk has none.
_CLASSES = Allowed('at least 2', lambda value: value is None or value >= 2)
_setting = functools.partial(setting, heading='Network', resume=REFUSED)


@dataclasses.dataclass(frozen=True)
class Network(Config):
  """Identity of a network: the shapes of its variables, and what its outputs mean.

  Names are those of `nets.specs` and `nets.head_specs`. A trunk has no head and no classes.
  """

  num_classes: int | None = _setting(
    help='Number of classes; null for a trunk.', allowed=_CLASSES, has_flag=False
  )
  model: str = _setting(
    'vgg16',
    help='Name of the network; vgg_d@8 is vgg_d with 8 channels in its first stage instead of 64, '
    'and proportionally fewer in all others.',
  )
  head: str | None = _setting(None, help='Head of the network.')
  image_size: int = _setting(
    IMAGE_SIDE, help='Side of the training crop, in pixels.', allowed=between('[1, 2**14]')
  )
  fc_units: int = _setting(FC_UNITS, help='Number of units of fc6 and fc7.', allowed=at_least(1))
  classifier_activation: str = _setting(
    'softmax',
    help='Activation of the class scores: softmax, or sigmoid, a single logit for two classes.',
    allowed=one_of(CLASSIFIER_ACTIVATIONS),
  )

  def _check_together(self, checks: Checks) -> None:
    fits = not self.is_sigmoid or self.num_classes == 2
    checks.require(fits, 'num_classes', "2 for classifier_activation='sigmoid'")

  @property
  def num_logits(self) -> int | None:
    """Number of channels of the class score map; 1 for a sigmoid, None for a trunk."""
    return 1 if self.is_sigmoid else self.num_classes

  @property
  def is_sigmoid(self) -> bool:
    """Whether a single logit gives the probability of the second of two classes."""
    return self.classifier_activation == 'sigmoid'

  @property
  def is_trunk(self) -> bool:
    """Whether the network has no head."""
    return self.num_classes is None


@dataclasses.dataclass(frozen=True)
class NetConfig(Network):
  """The network of a run, which has a head: its identity, and how it starts and is trained."""

  num_classes: int = _setting(help='Number of classes.', allowed=at_least(2), has_flag=False)
  dropout_keep_prob: float = _setting(
    0.5,
    help='Probability that dropout in the head keeps a unit.',
    allowed=between('(0, 1]'),
  )
  initializer: str = _setting(
    'glorot', help='Initializer of the weights.', allowed=one_of(INITIALIZERS)
  )

  @property
  def num_logits(self) -> int:
    """Number of channels of the class score map; 1 for a sigmoid."""
    return 1 if self.is_sigmoid else self.num_classes

  @property
  def network(self) -> Network:
    """The identity without the settings of training."""
    return Network(
      **{field.name: getattr(self, field.name) for field in dataclasses.fields(Network)}
    )
