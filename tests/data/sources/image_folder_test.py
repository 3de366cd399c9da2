import os
import pathlib

import pytest

from tests.data import fabricated
from vgg_slim.data.sources import image_folder
from vgg_slim.errors import DataError


def test_classes_and_images_are_sorted(tmp_path, monkeypatch):
  root = fabricated.write_image_folder(tmp_path / 'x', {'dog': 2, 'Cat': 1, 'ant': 1})
  scandir = os.scandir

  class Backwards:
    """An os.scandir that yields its entries in reverse order."""

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
  source = image_folder.open_folder(root)
  images = source.splits['train']
  assert source.class_names == ('Cat', 'ant', 'dog')
  named = [(image.name, image.label) for image in images]
  assert named == [('Cat/000.png', 0), ('ant/000.png', 1), ('dog/000.png', 2), ('dog/001.png', 2)]
  assert images[0].read() == (root / 'Cat' / '000.png').read_bytes()


def test_which_files_are_images_and_which_are_skipped(tmp_path):
  root = fabricated.write_image_folder(tmp_path / 'x', {'a': 1, 'b': 1})
  kept = ['1.JPG', '2.jpeg', '3.Png', '4.webp', '5.TIF', '6.heic', 'deep/er/7.gif', 'é.bmp']
  skipped_files = ['Thumbs.db', 'notes.txt', '.hidden.png', '.cache/8.png', 'png', 'a.png.part']
  for name in kept + skipped_files:
    (root / 'a' / name).parent.mkdir(parents=True, exist_ok=True)
    (root / 'a' / name).write_bytes(b'x')
  fabricated.write_image_folder(root / '.git', {'c': 1})
  (root / 'loose.png').write_bytes(b'x')
  (root / 'a' / 'a photo').write_bytes(fabricated.encoded(fabricated.pixels(0), 'JPEG'))
  source = image_folder.open_folder(root)
  assert source.class_names == ('a', 'b')
  names = [image.name for image in source.splits['train'] if image.label == 0]
  assert names == sorted(f'a/{name}' for name in [*kept, '000.png', 'a photo'])
  assert source.skipped_files == (
    *('a/Thumbs.db', 'a/a.png.part', 'a/notes.txt', 'a/png', 'loose.png'),
  )
  assert source.notes == (f'Left out: 1 image (loose.png) without a label in {root}.',)


def test_link_loops_end_and_broken_links_are_listed(tmp_path):
  root = fabricated.write_image_folder(tmp_path / 'x', {'a': 1, 'b': 1})
  (root / 'a' / 'deep').mkdir()
  (root / 'a' / 'deep' / 'up').symlink_to(root / 'a')
  (root / 'a' / 'all').symlink_to(root)
  (root / 'a' / 'gone.png').symlink_to(root / 'nowhere')
  (root / 'a' / 'other.png').symlink_to(root / 'b' / '000.png')
  names = [image.name for image in image_folder.open_folder(root).splits['train']]
  # Through `all` the folder b is listed once, and a, where the walk began, is not listed again.
  assert names == ['a/000.png', 'a/all/b/000.png', 'a/gone.png', 'a/other.png', 'b/000.png']


def test_the_state_changes_with_names_and_times(tmp_path):
  root = fabricated.write_image_folder(tmp_path / 'x', {'a': 2, 'b': 2})
  fingerprints = {image_folder.open_folder(root).fingerprint}
  assert fingerprints == {image_folder.open_folder(root).fingerprint}
  os.utime(root / 'a' / '000.png', (1, 1))
  fingerprints.add(image_folder.open_folder(root).fingerprint)
  (root / 'a' / '000.png').rename(root / 'a' / '00.png')
  fingerprints.add(image_folder.open_folder(root).fingerprint)
  assert len(fingerprints) == 3


def test_class_folders_may_be_links(tmp_path):
  real = fabricated.write_image_folder(tmp_path / 'real', {'a': 1, 'b': 2})
  root = tmp_path / 'x'
  root.mkdir()
  for name in ('a', 'b'):
    (root / name).symlink_to(real / name)
  assert len(image_folder.open_folder(root).splits['train']) == 3


def test_fewer_than_two_classes(tmp_path):
  root = fabricated.write_image_folder(tmp_path / 'x', {'a': 1})
  with pytest.raises(DataError, match='at least two class folders, found 1: a'):
    image_folder.open_folder(root)
  with pytest.raises(DataError, match='found 0: none'):
    image_folder.open_folder(root / 'a')


def test_the_folder_above_a_class_folder_is_suggested(tmp_path, monkeypatch):
  root = fabricated.write_image_folder(tmp_path / 'my pets', {'cat': 1, 'dog': 1, 'none': 0})
  fabricated.write_image_folder(tmp_path, {'train': 1, 'test': 1})

  def error(folder):
    with pytest.raises(DataError, match='at least two class folders') as caught:
      image_folder.open_folder(pathlib.Path(folder))
    return str(caught.value)

  hint = 'found 0: none. It is one of 2 folders of images in {}: did you mean --input_dir={}?'
  assert error(root / 'cat').endswith(hint.format(root, f"'{root}'"))
  monkeypatch.chdir(root)
  assert error('cat').endswith(hint.format('.', '.'))
  monkeypatch.chdir('cat')
  assert error('.').endswith(hint.format('..', '..'))
  for folder in (root / 'none', tmp_path / 'train'):  # holds nothing; a split without classes
    assert error(folder).endswith('found 0: none.')


def test_all_classes_without_images_are_named(tmp_path):
  root = fabricated.write_image_folder(tmp_path / 'x', {'a': 1, 'b': 0, 'c': 0})
  (root / 'c' / 'notes.txt').write_text('x')
  with pytest.raises(DataError, match=r'class folders without images: b, c\.'):
    image_folder.open_folder(root)


def test_a_class_name_with_a_line_break(tmp_path):
  root = fabricated.write_image_folder(tmp_path / 'x', {'a': 1, 'b\nc': 1})
  with pytest.raises(DataError, match=r"'b\\nc' is empty or has a line break"):
    image_folder.open_folder(root)


@pytest.mark.parametrize('validation', ['val', 'validation'])
def test_a_folder_of_splits(tmp_path, validation):
  for split in ('train', validation, 'test'):
    fabricated.write_image_folder(tmp_path / split, {'cat': 2, 'dog': 1})
  source = image_folder.open_folder(tmp_path)
  assert source.class_names == ('cat', 'dog')
  assert {name: len(images) for name, images in source.splits.items()} == {
    'train': 3,
    'validation': 3,
    'test': 3,
  }
  assert source.splits['validation'][2].name == f'{validation}/dog/000.png'
  assert source.splits['validation'][2].label == 1


def test_split_folders_with_different_classes(tmp_path):
  fabricated.write_image_folder(tmp_path / 'train', {'cat': 1, 'dog': 1})
  fabricated.write_image_folder(tmp_path / 'test', {'cats': 1, 'dog': 1})
  with pytest.raises(DataError, match=r"only in train \['cat'\], only in test \['cats'\]"):
    image_folder.open_folder(tmp_path)


def test_two_validation_folders(tmp_path):
  for split in ('train', 'val', 'validation'):
    fabricated.write_image_folder(tmp_path / split, {'cat': 1, 'dog': 1})
  with pytest.raises(DataError, match='the folders val, validation both name the validation split'):
    image_folder.open_folder(tmp_path)


def test_train_may_be_a_class_name(tmp_path):
  fabricated.write_image_folder(tmp_path, {'train': 1, 'bus': 1})
  assert image_folder.open_folder(tmp_path).class_names == ('bus', 'train')


def test_reading_an_image_that_was_deleted_raises_an_os_error(tmp_path):
  root = fabricated.write_image_folder(tmp_path / 'x', {'a': 1, 'b': 1})
  images = image_folder.open_folder(root).splits['train']
  pathlib.Path(root, images[0].name).unlink()
  with pytest.raises(FileNotFoundError):
    images[0].read()


def test_class_folders_of_other_splits_may_be_empty_or_missing(tmp_path):
  fabricated.write_image_folder(tmp_path / 'train', {'cat': 1, 'dog': 1, 'owl': 1})
  fabricated.write_image_folder(tmp_path / 'test', {'cat': 0, 'dog': 2, 'emu': 0})
  source = image_folder.open_folder(tmp_path)
  assert source.class_names == ('cat', 'dog', 'owl')
  assert [image.label for image in source.splits['test']] == [1, 1]
  assert not source.notes


def test_class_folders_may_be_missing_if_the_classes_are_given(tmp_path):
  fabricated.write_image_folder(tmp_path / 'train', {'cat': 1, 'dog': 0})
  fabricated.write_image_folder(tmp_path / 'test', {'owl': 1})
  source = image_folder.open_folder(tmp_path, ('owl', 'emu', 'dog', 'cat'))
  assert source.class_names == ('owl', 'emu', 'dog', 'cat')
  assert [image.label for image in source.splits['train']] == [3]
  assert [image.label for image in source.splits['test']] == [0]
  with pytest.raises(DataError, match=r'train has class folders .* --labels does not name: cat\.'):
    image_folder.open_folder(tmp_path, ('owl', 'emu'))
