import numpy as np
import pytest
from sklearn import datasets

from tests.data import fabricated
from vgg_slim.data.sources import catalog
from vgg_slim.errors import ConfigError, DataError


def test_digits_equal_those_of_scikit_learn():
  source = catalog.open_source('digits')
  assert source.class_names == tuple('0123456789')
  assert not source.mirror_safe
  bunch = datasets.load_digits()
  images = source.splits['train']
  assert [image.label for image in images] == bunch.target.tolist()
  assert images[17].name == 'train/00017'
  expected = [[round(value * 255 / 16) for value in row] for row in bunch.images[17]]
  assert images[17].read().tolist() == expected


def test_fashion_mnist(tmp_path):
  arrays = fabricated.write_fashion_mnist(tmp_path)
  source = catalog.open_source('fashion_mnist', tmp_path)
  assert source.class_names[0] == 'T-shirt/top'
  assert source.mirror_safe
  assert [image.name for image in source.splits['test']] == [f'test/0000{i}' for i in range(3)]
  np.testing.assert_array_equal(source.splits['train'][4].read(), arrays['train'][0][4])


def test_idx_labels_serve_as_class_names(tmp_path):
  fabricated.write_fashion_mnist(tmp_path)
  source = catalog.open_source('idx', tmp_path)
  assert source.class_names == tuple('012345')
  assert not source.mirror_safe


def test_labels_may_start_at_1_as_in_emnist_letters(tmp_path):
  images = fabricated.pixels(0, 52, 28 * 28, channels=1).reshape(52, 28, 28)
  labels = np.tile(np.arange(1, 27, dtype=np.uint8), 2)
  for prefix in ('emnist-letters-train', 'emnist-letters-test'):
    (tmp_path / f'{prefix}-images-idx3-ubyte').write_bytes(fabricated.idx_bytes(images))
    (tmp_path / f'{prefix}-labels-idx1-ubyte').write_bytes(fabricated.idx_bytes(labels))
  source = catalog.open_source('idx', tmp_path)
  assert source.class_names == tuple(map(str, range(1, 27)))
  assert [image.label for image in source.splits['test']] == [*range(26), *range(26)]
  assert not source.mirror_safe


def test_cifar10(tmp_path):
  for name, data in fabricated.cifar_binary_files().items():
    (tmp_path / name).write_bytes(data)
  source = catalog.open_source('cifar10', str(tmp_path))
  assert source.class_names == fabricated.CIFAR_NAMES
  assert source.mirror_safe
  planes, labels = fabricated.CIFAR_BATCHES['data_batch_1']
  image = source.splits['train'][1]
  assert (image.name, image.label) == ('train/00001', labels[1])
  # The planes red, green and blue follow each other, each in row-major order.
  assert image.read()[2, 5].tolist() == [planes[1][2 * 32 + 5 + 1024 * c] for c in range(3)]


def test_a_label_without_a_class(tmp_path):
  files = fabricated.cifar_binary_files()
  files['test_batch.bin'] = b'\x07' + files['test_batch.bin'][1:]
  for name, data in files.items():
    (tmp_path / name).write_bytes(data)
  with pytest.raises(
    DataError, match='cifar10, test: label 7 occurs, but the classes are only 0 to 2'
  ):
    catalog.open_source('cifar10', tmp_path)


@pytest.mark.parametrize(
  ('dataset', 'input_dir', 'error', 'message'),
  [
    ('mnist', None, ConfigError, "one of folder, tar, zip, list, .*cifar100_coarse, got 'mnist'"),
    ('folder', None, ConfigError, 'dataset=folder needs an input_dir'),
    ('cifar10', '', ConfigError, 'dataset=cifar10 needs an input_dir'),
    ('digits', 'x', ConfigError, "dataset=digits takes no input_dir, got 'x'"),
    ('folder', 'no/where', DataError, 'input_dir no/where does not exist'),
    ('fashion_mnist', 'no/where', DataError, 'no/where/train-images-idx3-ubyte'),
    ('folder', __file__, DataError, 'is a file; --dataset=tar or zip reads an archive'),
  ],
)
def test_missing_and_unexpected_arguments(dataset, input_dir, error, message):
  with pytest.raises(error, match=message):
    catalog.open_source(dataset, input_dir)


def test_a_link_that_leads_nowhere_is_named(tmp_path):
  (tmp_path / 'photos').symlink_to('moved')
  with pytest.raises(DataError, match='/photos is a link to .*/moved, which does not exist.$'):
    catalog.open_source('folder', tmp_path / 'photos')


def test_classes_can_be_given_for_every_data_set():
  names = ('ten', *map(str, range(9, -1, -1)))
  source = catalog.open_source('digits', class_names=names)
  plain = catalog.open_source('digits')
  assert source.class_names == names
  assert source.classes_given
  for i in (0, 7, 1000):
    one, other = source.splits['train'][i], plain.splits['train'][i]
    assert (names[one.label], one.name) == (str(other.label), other.name)
  with pytest.raises(DataError, match='digits has classes that --labels does not name: 8, 9'):
    catalog.open_source('digits', class_names=tuple(map(str, range(8))))
