import numpy as np
import PIL.Image

from benchmarks.gpu_check.settings import NUM_CLASSES
from vgg_slim.checkpoints import contract
from vgg_slim.data import manifest


def test_images_data_and_checkpoints_belong_together(check):
  files = check.image_files()
  assert len(files) == 2 * NUM_CLASSES
  with PIL.Image.open(files[0]) as image:
    assert min(image.size) > check.size.image_size
    assert image.size[0] != image.size[1]
  splits = manifest.read_manifest(check.data_dir).splits
  assert splits['validation'].num_examples == NUM_CLASSES
  for model in (check.size.model, check.size.batch_norm_model):
    _, found = contract.load_contract(check.prefix(model))
    assert (found.network.model, found.network.num_classes) == (model, NUM_CLASSES)


def test_numbers_tell_images_and_classes_apart(check):
  """A comparison of numbers that are all alike would prove nothing."""
  with np.load(check.numbers) as numbers:
    assert numbers['predict'].shape == (2 * NUM_CLASSES, NUM_CLASSES)
    np.testing.assert_allclose(numbers['dense'].sum(1), 1, rtol=1e-5)
    # Rounding errors of float32 are 1e-7.
    assert numbers['predict'].std(0).min() > 1e-3
    assert numbers['dense'].std(0).min() > 1e-3
    names = [name for name in numbers.files if name.endswith('weights')]
    assert len(names) > 20
    assert all(np.linalg.norm(numbers[name]) > 0 for name in names)
