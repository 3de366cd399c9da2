import pytest

from vgg_slim.configs.optimizer import OptimizerConfig
from vgg_slim.errors import ConfigError


def test_every_wrong_value_is_listed_at_once():
  with pytest.raises(ConfigError) as error:
    OptimizerConfig(learning_rate=0, momentum=1.0, weight_decay=-1)
  for message in (
    'learning_rate must be positive',
    'momentum must be in [0, 1)',
    'weight_decay must be',
  ):
    assert message in str(error.value)
