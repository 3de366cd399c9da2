import dataclasses

import pytest

from vgg_slim.errors import ConfigError
from vgg_slim.preprocessing.description import Preprocessing

VALID = Preprocessing((1.0, 2.0, 3.0), 0.5, 256)


def test_every_value_out_of_range_is_named():
  with pytest.raises(ConfigError) as error:
    dataclasses.replace(
      VALID,
      rgb_mean=(1.0, 2.0),
      pixel_scale=0,
      test_scale=0,
      resize_filter='cubic',
      stored_side=0,
      per_image_standardization=True,
      background='black',
      orientation='as stored',
    )
  named = [problem.split()[0] for problem in str(error.value).split('; ')]
  names = {field.name for field in dataclasses.fields(Preprocessing)} - {'keep_aspect_ratio'}
  assert sorted(named) == sorted(names)


def test_lists_of_json_become_tuples():
  assert Preprocessing([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], 256) == dataclasses.replace(
    VALID, pixel_scale=(1.0, 2.0, 3.0)
  )
