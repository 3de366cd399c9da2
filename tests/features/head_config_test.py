import pytest

from vgg_slim.errors import ConfigError
from vgg_slim.features import head
from vgg_slim.features.head_config import OPTIMIZERS, HeadConfig


def test_every_optimizer_can_be_built():
  assert set(OPTIMIZERS) == set(head.OPTIMIZERS)


def test_all_invalid_values_are_reported_at_once():
  with pytest.raises(ConfigError, match="optimizer .* got 'sgd'; epochs must be at least 1, got 0"):
    HeadConfig(optimizer='sgd', epochs=0)


def test_head_and_sizes_are_checked():
  with pytest.raises(ConfigError) as error:
    HeadConfig(head='fc8', fc_units=0, initializer='x', seed=-1)
  for message in (
    "head must be one of ('average', ",
    'fc_units must be at least 1, got 0',
    "initializer must be one of ('he', 'glorot', 'normal'), got 'x'",
    'seed must be in [0, 2**31), got -1',
  ):
    assert message in str(error.value)
