import pytest

from vgg_slim.preprocessing import test_scales


@pytest.mark.parametrize(
  ('train_scale', 'image_size', 'expected'),
  [
    ((256, 256), 224, 256),
    ((384, 384), 224, 384),
    ((256, 512), 224, 384),
    ((34, 38), 32, 32),  # the recipe for the digits
    ((150, 170), 150, 160),
    ((150, 150), 150, 150),  # never below the side of the crop
  ],
)
def test_the_test_scale_for_a_training_scale(train_scale, image_size, expected):
  assert test_scales.choose(*train_scale, image_size) == expected


def test_the_test_scale_without_a_training_scale():
  assert [test_scales.default(side) for side in (224, 32, 64)] == [256, 32, 64]


@pytest.mark.parametrize(
  ('train_scale', 'image_size', 'expected'),
  [
    # arXiv:1409.1556, 4.2
    ((256, 256), 224, (224, 256, 288)),
    ((384, 384), 224, (352, 384, 416)),
    ((256, 512), 224, (256, 384, 512)),
    ((36, 36), 32, (32, 64)),
    ((34, 38), 32, (32,)),
  ],
)
def test_the_three_test_scales_of_the_paper(train_scale, image_size, expected):
  assert test_scales.multi(*train_scale, image_size) == expected
