import numpy as np
import pytest

from tests.weights import fabricated
from vgg_slim.configs.net import Network
from vgg_slim.errors import WeightMismatchError
from vgg_slim.weights import network_run, slim_ckpt
from vgg_slim.weights.recognition import variable_shapes

NETWORK = Network(3, 'vgg_a@2', 'average_fc256', image_size=32)


def test_a_checkpoint_gives_the_same_output_as_its_arrays(tmp_path):
  arrays = fabricated.random_arrays(variable_shapes(NETWORK))
  images = np.random.default_rng(0).normal(size=[2, 40, 40, 3]).astype(np.float32)
  output = network_run.run(NETWORK, arrays, images)
  assert output.shape == (2, 3)
  assert np.ptp(output, axis=0).max() > 0
  prefix = str(tmp_path / 'm')
  np.testing.assert_array_equal(network_run.run(NETWORK, arrays, images, prefix), output)
  assert set(slim_ckpt.read(prefix).arrays) == {f'vgg_a/{name}' for name in arrays}


def test_arrays_that_do_not_match_are_refused():
  with pytest.raises(WeightMismatchError, match='missing vgg_a/conv1/conv1_1/biases'):
    network_run.run(NETWORK, {}, np.zeros([1, 32, 32, 3], np.float32))
