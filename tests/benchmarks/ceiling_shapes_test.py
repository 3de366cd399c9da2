from vgg_slim.benchmarks.ceiling_shapes import Conv


def test_flop_of_a_convolution_by_hand():
  assert Conv(batch=2, side=3, channels=5).flop == 2 * (2 * 3 * 3) * (3 * 3 * 5 * 5)
