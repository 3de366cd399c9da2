from vgg_slim.benchmarks.ceiling_shapes import Conv


def test_a_convolution_is_nine_multiply_adds_for_each_pair_of_channels():
  assert Conv(batch=2, side=3, channels=5).flop == 2 * (2 * 3 * 3) * (3 * 3 * 5 * 5)
