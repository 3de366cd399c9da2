"""Settings of the network."""

import dataclasses

from vgg_slim.configs.checks import Checks
from vgg_slim.configs.fields import REFUSED, setting
from vgg_slim.constants import IMAGE_SIDE

INITIALIZERS = ('he', 'glorot', 'normal')
CLASSIFIER_ACTIVATIONS = ('softmax', 'sigmoid')


@dataclasses.dataclass(frozen=True)
class NetConfig:
  """The network; names are those of `nets.specs`, `nets.head_specs` and `ops.initializers`.

  Attributes:
    num_classes: Number of classes, K.
    model: Name of the network.
    head: Name of the head; None for the network's default head.
    image_size: Side of the training crops in pixels, at which the class score map is 1x1.
    fc_units: Units of each hidden fully-connected layer, for heads that do not fix the number.
    dropout_keep_prob: Probability that dropout keeps a unit of the head, in (0, 1].
    initializer: Name of the initializer of all weights.
    classifier_activation: 'softmax' over K logits, or 'sigmoid' of a single logit, which gives the
      probability of the second of two classes.
  """

  num_classes: int = setting(resume=REFUSED)
  model: str = setting('vgg16', resume=REFUSED)
  head: str | None = setting(None, resume=REFUSED)
  image_size: int = setting(IMAGE_SIDE, resume=REFUSED)
  fc_units: int = setting(4096, resume=REFUSED)
  dropout_keep_prob: float = setting(0.5, resume=REFUSED)
  initializer: str = setting('glorot', resume=REFUSED)
  classifier_activation: str = setting('softmax', resume=REFUSED)

  def __post_init__(self):
    checks = Checks(self)
    checks.require(self.num_classes >= 2, 'num_classes', 'at least 2')
    checks.require(self.fc_units >= 1, 'fc_units', 'at least 1')
    checks.require(0 < self.dropout_keep_prob <= 1, 'dropout_keep_prob', 'in (0, 1]')
    checks.require(self.initializer in INITIALIZERS, 'initializer', f'one of {INITIALIZERS}')
    known = self.classifier_activation in CLASSIFIER_ACTIVATIONS
    checks.require(known, 'classifier_activation', f'one of {CLASSIFIER_ACTIVATIONS}')
    fits = self.classifier_activation != 'sigmoid' or self.num_classes == 2
    checks.require(fits, 'num_classes', "2 for classifier_activation='sigmoid'")
    checks.raise_all()

  @property
  def num_logits(self) -> int:
    """Number of channels of the class score map."""
    return 1 if self.classifier_activation == 'sigmoid' else self.num_classes
