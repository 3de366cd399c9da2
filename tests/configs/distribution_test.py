import pytest

from vgg_slim.configs.config import DistributionConfig
from vgg_slim.errors import ConfigError


@pytest.mark.parametrize(
  ('values', 'message'),
  [
    ({'num_devices': 0}, 'num_devices must be in .1, 1024., got 0'),
    ({'worker_timeout': 0.0}, 'worker_timeout must be positive, got 0.0'),
  ],
)
def test_values_out_of_range_are_refused(values, message):
  with pytest.raises(ConfigError, match=message):
    DistributionConfig(**values)
