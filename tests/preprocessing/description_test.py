import dataclasses

from vgg_slim.preprocessing.description import Preprocessing

VALID = Preprocessing((1.0, 2.0, 3.0), 0.5, 256)


def test_every_value_out_of_range_is_named():
  invalid = dataclasses.replace(
    VALID,
    rgb_mean=(1.0, 2.0),
    pixel_scale=0,
    test_scale=0,
    resize_filter='cubic',
    stored_side=0,
    background='black',
    orientation='as stored',
  )
  named = [problem.split()[0] for problem in invalid.problems()]
  assert sorted(named) == sorted(field.name for field in dataclasses.fields(Preprocessing))
  assert not VALID.problems()
