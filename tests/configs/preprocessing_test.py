import dataclasses
import json

import pytest

from vgg_slim.configs.preprocessing import PreprocessingConfig
from vgg_slim.errors import ConfigError


def test_every_wrong_value_is_listed_at_once():
  with pytest.raises(ConfigError) as error:
    PreprocessingConfig(
      rgb_mean=(1, 2),
      pixel_scale=(1.0, 0.0, 1.0),
      train_scale_min=9,
      train_scale_max=8,
      rgb_shift=0.1,
      zoom_min=2.0,
      cutout=1.5,
    )
  for message in (
    'rgb_mean must be three numbers',
    'pixel_scale must be positive, one number or three',
    'train_scale_max must be at least train_scale_min=9',
    'rgb_covariance must be given for rgb_shift',
    'zoom_max must be at least zoom_min=2.0',
    'cutout must be in [0, 1], got 1.5',
  ):
    assert message in str(error.value)


def test_json_round_trip():
  config = PreprocessingConfig(
    (1.0, 2.0, 3.0), (1.0, 0.5, 0.25), rgb_shift=0.1, rgb_covariance=((1.0, 2.0, 3.0),) * 3
  )
  assert PreprocessingConfig(**json.loads(json.dumps(dataclasses.asdict(config)))) == config
