import numpy as np

from benchmarks import keras_input
from tests.testing import make_data_set
from vgg_slim.benchmarks.workload import Workload


def test_batches_are_crops_less_the_mean_without_end(tmp_path):
  data_dir, manifest = make_data_set(tmp_path / 'data')
  step = keras_input.build_step(Workload('input', 'vgg_a@4', 2, 32, 2, data_dir=data_dir))
  images, labels = (values.numpy() for values in step())
  assert (images.shape, labels.shape) == ((2, 32, 32, 3), (2,))
  lowest = -np.array(manifest.rgb_mean)
  assert (images > lowest - 1e-3).all()
  assert (images < lowest + 255 + 1e-3).all()
  for _ in range(manifest.splits['train'].num_examples):
    step()
