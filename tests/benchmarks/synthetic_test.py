import numpy as np

from tests.testing import graph_session
from vgg_slim.benchmarks import synthetic
from vgg_slim.benchmarks.workload import Workload
from vgg_slim.compat import tf

LOAD = Workload('forward', 'vgg_a', 3, 40, num_classes=5)


def test_every_run_gives_the_same_batch():
  with graph_session() as session:
    batch = synthetic.build_batch(LOAD)
    session.run(tf.local_variables_initializer())
    (images, labels), again = session.run(batch), session.run(batch)
    assert not tf.global_variables()
  assert images.shape == (3, 40, 40, 3)
  assert images.dtype == np.float32
  assert labels.min() >= 0
  assert labels.max() < 5
  np.testing.assert_array_equal(images, again[0])
  np.testing.assert_array_equal(labels, again[1])


def test_the_config_has_the_values_of_the_workload():
  config = synthetic.train_config(LOAD)
  assert (config.net.model, config.net.image_size, config.net.num_classes) == ('vgg_a', 40, 5)
  assert config.run.batch_size == 3
