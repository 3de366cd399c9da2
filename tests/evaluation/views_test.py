import pytest

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
