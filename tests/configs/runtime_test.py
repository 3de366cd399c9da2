import pytest

from vgg_slim.configs.runtime import RuntimeConfig
from vgg_slim.errors import ConfigError


def test_every_wrong_value_is_listed_at_once():
  with pytest.raises(ConfigError) as error:
    RuntimeConfig(precision='int8', num_threads=-1, gpus='first')
  for message in (
    "precision must be one of ('float32', 'bfloat16', 'float16'), got 'int8'",
    'num_threads must be in [0, 1024]',
    "gpus must be comma-separated numbers or 'none', got 'first'",
  ):
    assert message in str(error.value)


@pytest.mark.parametrize('gpus', [None, 'none', '0', '0,12'])
def test_valid_gpus(gpus):
  assert RuntimeConfig(gpus=gpus).gpus == gpus
