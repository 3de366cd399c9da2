import pytest

from vgg_slim.errors import ConfigError
from vgg_slim.evaluation import views


@pytest.mark.parametrize(
  ('smallest', 'largest', 'scales'),
  [
    (256, 256, (224, 256, 288)),  # the paper's Table 4
    (384, 384, (336, 384, 432)),
    (256, 512, (256, 384, 512)),
    (36, 36, (32, 36, 40)),
  ],
)
def test_multi_scale(smallest, largest, scales):
  assert views.multi_scale(smallest, largest) == scales


@pytest.mark.parametrize('scales', [[], [31], [36, 16]])
def test_scales_below_the_training_side_are_refused(scales):
  with pytest.raises(ConfigError, match='at least image_size=32 pixels'):
    views.check_test_scales(scales, image_size=32)


def test_scales_from_the_training_side_on_are_fine():
  assert views.check_test_scales([32, 64], image_size=32) is None
