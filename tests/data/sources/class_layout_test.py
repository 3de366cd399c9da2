import shutil

import pytest

from tests.data import fabricated
from vgg_slim.data.sources import catalog, class_layout
from vgg_slim.errors import ConfigError, DataError


@pytest.mark.parametrize(
  ('name', 'prefix'),
  [
    ('train/cat.0.jpg', 'cat'),
    ('great_pyrenees_12.JPEG', 'great_pyrenees'),
    ('cat (3).png', 'cat'),
    ('cat-007', 'cat'),
    ('cat7.png', 'cat'),
    ('n01440764_18.JPEG', 'n01440764'),
    ('17.png', None),
    ('2024_05_12.png', None),
    ('猫12.png', '猫'),
    ('n01440764.png', 'n'),
    ('_17.png', None),
    ('cat.png', None),
  ],
)
def test_what_precedes_the_number(name, prefix):
  assert class_layout.prefix_of(name) == prefix


@pytest.fixture(params=['folder', 'tar', 'zip'])
def open_paths(tmp_path, request):
  """Returns a function that opens images at paths, in a folder or an archive; '/' ends a folder."""

  def call(paths, **options):
    for number, path in enumerate(paths):
      file = tmp_path / 'x' / path
      if path.endswith('/'):
        file.mkdir(parents=True)
        continue
      file.parent.mkdir(parents=True, exist_ok=True)
      file.write_bytes(fabricated.encoded(fabricated.pixels(number), 'PNG'))
    where = tmp_path / 'x'
    if request.param != 'folder':
      where = shutil.make_archive(str(tmp_path / 'y'), request.param, where)
    return catalog.open_source(request.param, where, **options)

  return call


CLASSES = ('train/cat/0.png', 'train/cat/1.png', 'train/dog/0.png')
FLAT = ('cat.0.png', 'cat.1.png', 'dog.0.png')


def names_of(source):
  return {
    split: [(image.name, image.label) for image in images]
    for split, images in source.splits.items()
  }


def test_a_folder_around_everything_is_ignored_and_said(open_paths):
  source = open_paths([f'photos/all/{path}' for path in (*CLASSES, 'test/dog/9.png')])
  assert names_of(source) == {
    'train': [('train/cat/0.png', 0), ('train/cat/1.png', 0), ('train/dog/0.png', 1)],
    'test': [('test/dog/9.png', 1)],
  }
  assert source.notes == ('All images are in photos/all.',)
  assert all(image.read() for images in source.splits.values() for image in images)


@pytest.mark.parametrize('folder', ['', 'unknown/'])
def test_images_of_a_split_without_labels_are_set_aside_and_said(open_paths, folder):
  source = open_paths([*CLASSES, *(f'test1/{folder}{i}.png' for i in range(4))])
  assert list(source.splits) == ['train']
  assert source.skipped_files == tuple(f'test1/{folder}{i}.png' for i in range(4))
  (note,) = source.notes
  assert note.startswith('Left out: 4 images (')
  assert note.endswith('3.png and 1 more) without a label in x, test1.') or 'test1.' in note


def test_an_empty_split_is_said(open_paths):
  source = open_paths([*CLASSES, 'valid/cat/', 'valid/dog/'])
  assert list(source.splits) == ['train']
  (note,) = source.notes
  assert note.endswith(', valid has no images and is left out.')


def test_images_beside_folders_are_left_out_and_said(open_paths):
  source = open_paths([*CLASSES, 'cover.png', 'train/sheet.png', 'test/cat/0.png'])
  assert {name: len(images) for name, images in source.splits.items()} == {'train': 3, 'test': 1}
  assert source.skipped_files == ('cover.png', 'train/sheet.png')
  assert source.notes[0] == 'Left out: 1 image (cover.png) beside the folders of splits.'
  assert source.notes[1].startswith('Left out: 1 image (train/sheet.png) without a label in ')


def test_an_empty_class_folder_of_train_is_an_error_everywhere(open_paths):
  with pytest.raises(DataError, match='class folders without images: owl. Remove them, or .*label'):
    open_paths([*CLASSES, 'train/owl/'])


def test_given_classes_may_be_missing_everywhere(open_paths):
  paths = [*CLASSES, 'train/notes/', 'test/owl/0.png', 'test/cat/']
  source = open_paths(paths, class_names=('owl', 'dog', 'cat'))
  assert [image.label for image in source.splits['train']] == [1, 2, 2]
  assert [image.label for image in source.splits['test']] == [0]


@pytest.mark.parametrize('folder', ['', 'images/'])
def test_classes_in_names_get_a_hint(open_paths, folder):
  expected = r'like cat.0.png and dog.0.png: --labels_from=prefix .* \(2 classes: cat, dog\)'
  with pytest.raises(DataError, match=expected):
    open_paths([f'{folder}{name}' for name in FLAT])


def test_classes_from_names(open_paths):
  source = open_paths(FLAT, labels_from='prefix')
  assert source.class_names == ('cat', 'dog')
  assert names_of(source) == {'train': [(FLAT[0], 0), (FLAT[1], 0), (FLAT[2], 1)]}


def test_classes_from_names_in_folders_of_splits(open_paths):
  paths = [f'train/{name}' for name in FLAT]
  with pytest.raises(DataError, match='--labels_from=prefix'):
    open_paths([*paths, 'test1/1.png'])
  source = open_paths([], labels_from='prefix')
  assert names_of(source) == {'train': [(path, 'cd'.index(path[6])) for path in paths]}
  assert source.skipped_files == ('test1/1.png',)


def test_names_without_a_class(open_paths):
  with pytest.raises(DataError, match=r'names of 1 image \(a.png\) do not end in a number'):
    open_paths([*FLAT, 'a.png'], labels_from='prefix')


def test_only_folders_and_archives_have_names():
  with pytest.raises(ConfigError, match='labels_from=prefix is for folder, tar, zip, not'):
    catalog.open_source('digits', labels_from='prefix')


def test_a_class_that_is_called_like_a_split_is_named(open_paths):
  paths = ['cat/1.png', 'dog/1.png', 'test/1.png']
  (note,) = open_paths(paths).notes
  assert note.startswith('test is taken for a class, as the folders beside it are')
  assert not open_paths(paths, class_names=('cat', 'dog', 'test')).notes
