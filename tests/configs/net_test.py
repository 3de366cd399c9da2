import pytest

from vgg_slim.configs.net import NetConfig
from vgg_slim.errors import ConfigError


def test_every_wrong_value_is_listed_at_once():
  with pytest.raises(ConfigError) as error:
    NetConfig(num_classes=1, dropout_keep_prob=0.0, initializer='x')
  for message in (
    'num_classes must be at least 2, got 1',
    'dropout_keep_prob must be in (0, 1], got 0.0',
    'initializer must be one of',
    "got 'x'",
  ):
    assert message in str(error.value)
