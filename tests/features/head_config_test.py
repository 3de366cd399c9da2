import pytest

from vgg_slim.errors import ConfigError
from vgg_slim.features import head
from vgg_slim.features.head_config import OPTIMIZERS, HeadConfig


def test_every_optimizer_can_be_built():
  assert set(OPTIMIZERS) == set(head.OPTIMIZERS)


def test_all_invalid_values_are_reported_at_once():
  with pytest.raises(ConfigError, match="optimizer .* got 'sgd'; epochs must be at least 1, got 0"):
    HeadConfig(optimizer='sgd', epochs=0)
