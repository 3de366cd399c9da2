import numpy as np
import pytest

from benchmarks.gpu_check import settings
from benchmarks.gpu_check.settings import Check
from vgg_slim.nets import specs


@pytest.mark.parametrize('name', settings.SIZES)
def test_batches_split_between_two_devices_and_networks_exist(name, tmp_path):
  check = Check(name, tmp_path)
  size = check.size
  assert size.batch_size % 2 == 0
  assert specs.get(size.batch_norm_model).batch_norm
  assert not specs.get(size.model).batch_norm
  config = check.train_config(size.model)
  assert config.net.dropout_keep_prob == 1
  assert config.optimizer.optimizer == 'momentum'
  assert check.train_config(size.model, batch_size=2).run.batch_size == 2


def test_both_steps_have_images_of_their_own_and_all_classes(tmp_path):
  check = Check('thin', tmp_path)
  images, labels = check.images(), check.labels()
  assert images.shape == (2, *labels.shape[1:], 64, 64, 3)
  assert not np.array_equal(*images)
  assert labels.max() < settings.NUM_CLASSES
  np.testing.assert_array_equal(images, check.images())
