import numpy as np
import pytest

from vgg_slim.configs import config, types
from vgg_slim.errors import ConfigError


@pytest.mark.parametrize(
  ('hint', 'fitting', 'others'),
  [
    (int, (0, -3, np.int64(2), 2**31 - 1, -(2**31)), (True, 1.0, '1', None, 2**31, -(2**31) - 1)),
    (float, (0.5, 2, np.float32(1), 0, -3.4e38, 1.2e-38), (True, float('inf'), float('nan'), '1')),
    (
      float,
      (),
      (3.5e38, -1e39, 10**400, 1.1e-38, -1e-320),
    ),  # infinite, or 0 with few digits, as float32
    (bool, (True, np.bool_(False)), (0, 'false', None)),
    (str, ('',), (b'', None)),
    (int | None, (None, 1), (1.5, 'x')),
    (tuple[str, ...], ((), ('a', 'b')), ('ab', ('a', 1), ['a'])),
    (tuple[tuple[float, ...], ...], (((1.0,), (2, 3)),), ((1.0,), 'x')),
    (dict, ({}, 3), ()),
  ],
)
def test_values_of_a_type(hint, fitting, others):
  assert all(types.fits(value, hint) for value in fitting)
  assert not any(types.fits(value, hint) for value in others)


@pytest.mark.parametrize(
  ('values', 'message'),
  [
    ({'epochs': float('inf')}, 'epochs must be a finite number in the range of float32, got inf'),
    ({'batch_size': True}, 'batch_size must be an integer of at most 32 bits, got True'),
    ({'keep_best': 'false'}, "keep_best must be true or false, got 'false'"),
    ({'max_steps': 1.5}, 'max_steps must be an integer of at most 32 bits or null, got 1.5'),
    (
      {'profile_steps': ('a', 'b')},
      'profile_steps must be a list, each of it an integer of at most 32 bits',
    ),
  ],
)
def test_a_config_names_values_of_another_type(values, message):
  with pytest.raises(ConfigError, match=message):
    config.RunConfig(**values)
