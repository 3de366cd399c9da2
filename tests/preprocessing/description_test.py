import dataclasses

import pytest

from vgg_slim.errors import ConfigError
from vgg_slim.preprocessing.description import Preprocessing, is_range

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
      pixel_range=(1, 1),
      per_image_standardization=True,
      background='black',
      orientation='as stored',
    )
  named = [problem.split()[0] for problem in str(error.value).split('; ')]
  names = {field.name for field in dataclasses.fields(Preprocessing)} - {'keep_aspect_ratio'}
  assert sorted(named) == sorted(names)


@pytest.mark.parametrize(
  ('values', 'expected'),
  [
    ((0, 1), True),
    ([-1.5, 4095], True),
    ((1, 1), False),
    ((2, 1), False),
    ((0, 1, 2), False),
    ((0, float('inf')), False),
    (('0', '1'), False),
    (5, False),
  ],
)
def test_a_range_is_two_increasing_numbers(values, expected):
  assert is_range(values) == expected


def test_lists_of_json_become_tuples():
  got = Preprocessing([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], 256, pixel_range=[0, 1])
  assert got == dataclasses.replace(VALID, pixel_scale=(1.0, 2.0, 3.0), pixel_range=(0, 1))
