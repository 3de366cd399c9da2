import pytest

from vgg_slim.configs.preprocessing import PreprocessingConfig
from vgg_slim.errors import ConfigError


def test_every_wrong_value_is_listed_at_once():
  with pytest.raises(ConfigError) as error:
    PreprocessingConfig(rgb_mean=(1, 2), train_scale_min=9, train_scale_max=8)
  for message in (
    'rgb_mean must be three numbers',
    'train_scale_max must be at least train_scale_min=9',
  ):
    assert message in str(error.value)
