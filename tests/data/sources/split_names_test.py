import pathlib
import shutil
import tarfile

import pytest

from tests.data import fabricated
from vgg_slim.data.sources import catalog, split_names
from vgg_slim.errors import DataError


@pytest.mark.parametrize(
  ('names', 'split'),
  [
    ('train Train TRAINING training_set training-data TrainImages trainset trn Train2', 'train'),
    ('valid Val VALIDATION validation_set dev Development eval val_images', 'validation'),
    ('test Testing test_set testdata TestImages tst test1', 'test'),
    ('cat set data images trainer attestation valley value evaluate_me tr te', None),
  ],
)
def test_names_in_use(names, split):
  assert {name: split_names.split_of(name) for name in names.split()} == dict.fromkeys(
    names.split(), split
  )


def write(root, kind, paths):
  """Writes one image at each path, as a folder or as an archive; returns its path."""
  for number, path in enumerate(paths):
    file = root / 'x' / f'{path}.png'
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(fabricated.encoded(fabricated.pixels(number), 'PNG'))
  if kind == 'folder':
    return root / 'x'
  if kind == 'zip':
    return pathlib.Path(shutil.make_archive(root / 'x', 'zip', root, 'x'))
  with tarfile.open(root / 'x.tar', 'w') as archive:
    archive.add(root / 'x', arcname='photos')
  return root / 'x.tar'


def layout(outer, inner=('cat', 'dog')):
  return [f'{a}/{b}/{n}' for a in outer for b in inner for n in range(2)]


@pytest.mark.parametrize('kind', ['folder', 'tar', 'zip'])
@pytest.mark.parametrize(
  'outer',
  [
    ('train', 'valid', 'test'),
    ('training', 'validation'),
    ('training_set', 'test_set'),
    ('Train', 'Val', 'Test'),
    ('train', 'dev'),
    ('train',),
  ],
)
def test_folders_of_splits(tmp_path, kind, outer):
  source = catalog.open_source(kind, write(tmp_path, kind, layout(outer)))
  assert source.class_names == ('cat', 'dog')
  assert list(source.splits) == [split_names.split_of(name) for name in outer]
  assert {len(images) for images in source.splits.values()} == {4}
  # The folder that the archives have around everything is not part of the names.
  assert source.splits['train'][3].name == f'{outer[0]}/dog/1.png'


@pytest.mark.parametrize('kind', ['folder', 'tar', 'zip'])
@pytest.mark.parametrize(
  ('paths', 'message'),
  [
    (layout(('a', 'b', 'c')), 'a, b, c, has the same folders, cat, dog. .* unknown names'),
    (layout(('cat', 'dog'), ('train', 'val')), 'splits within classes: expected train/cat'),
    (
      layout(('train', 'test', 'extra')),
      'train looks like a split, but extra beside it|test, train',
    ),
    (layout(('valid', 'test')), 'none for training'),
    (layout(('train', 'val', 'validation')), 'val, validation both name the validation split'),
  ],
)
def test_what_looks_like_splits_is_never_taken_for_classes(tmp_path, kind, paths, message):
  with pytest.raises(DataError, match=message):
    catalog.open_source(kind, write(tmp_path, kind, paths))


@pytest.mark.parametrize('kind', ['folder', 'tar', 'zip'])
@pytest.mark.parametrize(
  ('paths', 'class_names'),
  [
    (['cat/0', 'cat/1', 'test/0', 'test/1'], ('cat', 'test')),
    (['car/0', 'plane/0', 'train/0', 'train/1'], ('car', 'plane', 'train')),
    ([*layout(['cat']), 'dog/0', 'dog/1'], ('cat', 'dog')),
    ([*layout(['cat'], ['a', 'b']), *layout(['dog'], ['a', 'c'])], ('cat', 'dog')),
  ],
)
def test_classes_may_have_such_names_and_folders(tmp_path, kind, paths, class_names):
  source = catalog.open_source(kind, write(tmp_path, kind, paths))
  assert source.class_names == class_names
  assert list(source.splits) == ['train']


@pytest.mark.parametrize('kind', ['folder', 'tar', 'zip'])
def test_given_classes_settle_it(tmp_path, kind):
  path = write(tmp_path, kind, layout(('maple', 'oak'), ('color', 'gray')))
  source = catalog.open_source(kind, path, ['maple', 'oak'])
  assert source.class_names == ('maple', 'oak')
  assert len(source.splits['train']) == 8
