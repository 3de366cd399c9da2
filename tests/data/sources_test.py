import io
import os
import pathlib

import numpy as np
import pytest
from PIL import Image
from sklearn import datasets

from tests.data import fabricated
from vgg_slim.data import sources
from vgg_slim.errors import ConfigError, DataError


def pixels_of(image):
  return np.asarray(Image.open(io.BytesIO(image.read())))


def test_a_folder_is_listed_in_sorted_order(tmp_path, monkeypatch):
  root = fabricated.write_image_folder(tmp_path / 'x', {'dog': 2, 'Cat': 1, 'ant': 1})
  scandir = os.scandir

  class Backwards:
    """os.scandir with its entries in reverse order."""

    def __init__(self, path):
      with scandir(path) as entries:
        self._sorted = sorted(entries, key=lambda entry: entry.name)

    def __enter__(self):
      return self

    def __exit__(self, *_):
      pass

    def __iter__(self):
      return self

    def __next__(self):
      if not self._sorted:
        raise StopIteration
      return self._sorted.pop()

  monkeypatch.setattr(os, 'scandir', Backwards)
  class_names, images = sources.list_image_folder(root)
  assert class_names == ('Cat', 'ant', 'dog')
  named = [(image.name, image.label) for image in images]
  assert named == [('Cat/000.png', 0), ('ant/000.png', 1), ('dog/000.png', 2), ('dog/001.png', 2)]
  assert images[0].read() == (root / 'Cat' / '000.png').read_bytes()


def test_what_is_a_picture_and_what_is_passed_over(tmp_path):
  root = fabricated.write_image_folder(tmp_path / 'x', {'a': 1, 'b': 1})
  kept = ['1.JPG', '2.jpeg', '3.Png', '4.webp', '5.TIF', '6.heic', 'deep/er/7.gif', 'é.bmp']
  passed_over = ['Thumbs.db', 'notes.txt', '.hidden.png', '.cache/8.png', 'png', 'a.png.part']
  for name in kept + passed_over:
    (root / 'a' / name).parent.mkdir(parents=True, exist_ok=True)
    (root / 'a' / name).write_bytes(b'x')
  fabricated.write_image_folder(root / '.git', {'c': 1})
  (root / 'loose.png').write_bytes(b'x')
  class_names, images = sources.list_image_folder(root)
  assert class_names == ('a', 'b')
  names = [image.name for image in images if image.label == 0]
  assert names == sorted(f'a/{name}' for name in [*kept, '000.png'])


def test_class_folders_may_be_links(tmp_path):
  real = fabricated.write_image_folder(tmp_path / 'real', {'a': 1, 'b': 2})
  root = tmp_path / 'x'
  root.mkdir()
  for name in ('a', 'b'):
    (root / name).symlink_to(real / name)
  assert len(sources.list_image_folder(root)[1]) == 3


def test_fewer_than_two_classes(tmp_path):
  root = fabricated.write_image_folder(tmp_path / 'x', {'a': 1})
  with pytest.raises(DataError, match='at least two class folders, it has 1: a'):
    sources.open_source('folder', root)
  with pytest.raises(DataError, match='it has 0: none'):
    sources.open_source('folder', root / 'a')


def test_classes_without_pictures_are_all_named(tmp_path):
  root = fabricated.write_image_folder(tmp_path / 'x', {'a': 1, 'b': 0, 'c': 0})
  (root / 'c' / 'notes.txt').write_text('x')
  with pytest.raises(DataError, match=r'class folders without pictures: b, c\.'):
    sources.open_source('folder', root)


def test_a_class_name_with_a_line_break(tmp_path):
  root = fabricated.write_image_folder(tmp_path / 'x', {'a': 1, 'b\nc': 1})
  with pytest.raises(DataError, match=r"'b\\nc' is empty or has a line break"):
    sources.open_source('folder', root)


@pytest.mark.parametrize('validation', ['val', 'validation'])
def test_a_folder_of_splits(tmp_path, validation):
  for split in ('train', validation, 'test'):
    fabricated.write_image_folder(tmp_path / split, {'cat': 2, 'dog': 1})
  source = sources.open_source('folder', tmp_path)
  assert source.class_names == ('cat', 'dog')
  assert {name: len(images) for name, images in source.splits.items()} == {
    'train': 3,
    'validation': 3,
    'test': 3,
  }
  assert source.splits['validation'][2].name == f'{validation}/dog/000.png'
  assert source.splits['validation'][2].label == 1


def test_split_folders_with_other_classes(tmp_path):
  fabricated.write_image_folder(tmp_path / 'train', {'cat': 1, 'dog': 1})
  fabricated.write_image_folder(tmp_path / 'test', {'cats': 1, 'dog': 1})
  with pytest.raises(DataError, match=r"only in train \['cat'\], only in test \['cats'\]"):
    sources.open_source('folder', tmp_path)


def test_two_validation_folders(tmp_path):
  for split in ('train', 'val', 'validation'):
    fabricated.write_image_folder(tmp_path / split, {'cat': 1, 'dog': 1})
  with pytest.raises(DataError, match='both a val and a validation folder'):
    sources.open_source('folder', tmp_path)


def test_train_may_be_a_class_among_others(tmp_path):
  fabricated.write_image_folder(tmp_path, {'train': 1, 'bus': 1})
  assert sources.open_source('folder', tmp_path).class_names == ('bus', 'train')


def test_digits_are_scikit_learns():
  source = sources.open_source('digits')
  assert source.class_names == tuple('0123456789')
  assert not source.mirror_safe
  bunch = datasets.load_digits()
  images = source.splits['train']
  assert [image.label for image in images] == bunch.target.tolist()
  assert images[17].name == 'train/00017'
  expected = [[round(value * 255 / 16) for value in row] for row in bunch.images[17]]
  assert pixels_of(images[17]).tolist() == expected


def test_fashion_mnist(tmp_path):
  arrays = fabricated.write_fashion_mnist(tmp_path)
  source = sources.open_source('fashion_mnist', tmp_path)
  assert source.class_names[0] == 'T-shirt/top'
  assert source.mirror_safe
  assert [image.name for image in source.splits['test']] == [f'test/0000{i}' for i in range(3)]
  np.testing.assert_array_equal(pixels_of(source.splits['train'][4]), arrays['train'][0][4])


def test_cifar10(tmp_path):
  for name, data in fabricated.cifar_binary_files().items():
    (tmp_path / name).write_bytes(data)
  source = sources.open_source('cifar10', str(tmp_path))
  assert source.class_names == fabricated.CIFAR_NAMES
  planes, labels = fabricated.CIFAR_BATCHES['data_batch_1']
  image = source.splits['train'][1]
  assert (image.name, image.label) == ('train/00001', labels[1])
  # Red, then green, then blue, each row after row.
  assert pixels_of(image)[2, 5].tolist() == [planes[1][2 * 32 + 5 + 1024 * c] for c in range(3)]


def test_a_label_without_a_class(tmp_path):
  files = fabricated.cifar_binary_files()
  files['test_batch.bin'] = b'\x07' + files['test_batch.bin'][1:]
  for name, data in files.items():
    (tmp_path / name).write_bytes(data)
  with pytest.raises(DataError, match='cifar10, test: label 7 comes, but there are only 3 classes'):
    sources.open_source('cifar10', tmp_path)


@pytest.mark.parametrize(
  ('dataset', 'input_dir', 'error', 'message'),
  [
    ('mnist', None, ConfigError, "one of folder, digits, fashion_mnist, cifar10, got 'mnist'"),
    ('folder', None, ConfigError, 'dataset=folder needs an input_dir'),
    ('cifar10', '', ConfigError, 'dataset=cifar10 needs an input_dir'),
    ('digits', 'x', ConfigError, "dataset=digits takes no input_dir, got 'x'"),
    ('folder', 'no/where', DataError, 'input_dir no/where does not exist'),
    ('fashion_mnist', 'no/where', DataError, 'no/where/train-images-idx3-ubyte'),
    ('folder', __file__, DataError, 'folder cannot be read: .*Not a directory'),
  ],
)
def test_arguments_out_of_place(dataset, input_dir, error, message):
  with pytest.raises(error, match=message):
    sources.open_source(dataset, input_dir)


def test_a_picture_that_went_away_is_an_os_error(tmp_path):
  root = fabricated.write_image_folder(tmp_path / 'x', {'a': 1, 'b': 1})
  _, images = sources.list_image_folder(root)
  pathlib.Path(root, images[0].name).unlink()
  with pytest.raises(FileNotFoundError):
    images[0].read()
