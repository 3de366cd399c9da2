import pytest

from tests.data import fabricated
from vgg_slim.data.sources import imagenet
from vgg_slim.errors import DataError

SYNSETS = ('n01440764', 'n01443537', 'n02084071')
# Labels of val_1, val_2 and val_3.
LABELS = [2, 0, 2]


def make_folder(root, validation=True):
  fabricated.write_image_folder(
    root / 'train', dict.fromkeys(reversed(SYNSETS), 1), 'JPEG', '.JPEG'
  )
  (root / 'val').mkdir()
  if validation:
    for i in (3, 1, 2):
      (root / 'val' / f'val_{i}.JPEG').write_bytes(b'%d' % i)
  return root


def check(source, class_names=SYNSETS):
  assert source.class_names == class_names
  assert [image.name for image in source.splits['train']] == [
    f'train/{synset}/000.JPEG' for synset in SYNSETS
  ]
  images = [(image.name, image.label, image.read()) for image in source.splits['validation']]
  assert images == [
    (f'val/val_{i}.JPEG', label, b'%d' % i) for i, label in enumerate(LABELS, start=1)
  ]


LISTS = {
  'LOC_val_solution.csv': 'ImageId,PredictionString\n'
  f'val_2,{SYNSETS[0]} 1 2 3 4 \nval_1,{SYNSETS[2]} 1 2 3 4 {SYNSETS[2]} 5 6 7 8 \n'
  f'val_3,{SYNSETS[2]} 9 9 9 9 \n',
  'imagenet_2012_validation_synset_labels.txt': ''.join(f'{SYNSETS[i]}\n' for i in LABELS),
  'val.txt': ''.join(f'val_{i}.JPEG {label}\n' for i, label in enumerate(LABELS, start=1)),
}


@pytest.mark.parametrize('name', LISTS)
def test_every_kind_of_validation_list(tmp_path, name):
  root = make_folder(tmp_path)
  (root / name).write_text(LISTS[name])
  check(imagenet.open_imagenet(root))


def test_the_folders_and_words_of_kaggle(tmp_path):
  make_folder(tmp_path / 'ILSVRC' / 'Data' / 'CLS-LOC')
  (tmp_path / 'LOC_val_solution.csv').write_text(LISTS['LOC_val_solution.csv'])
  words = [f'{synset} word {i}, other word' for i, synset in enumerate(SYNSETS)]
  (tmp_path / 'LOC_synset_mapping.txt').write_text('\n'.join(words))
  check(imagenet.open_imagenet(tmp_path), tuple(words))


def test_validation_in_synset_folders(tmp_path):
  root = make_folder(tmp_path, validation=False)
  fabricated.write_image_folder(root / 'val', dict.fromkeys(SYNSETS, 2), 'JPEG', '.JPEG')
  for split in ('train', 'val'):
    (root / split / SYNSETS[0] / 'notes.txt').write_text('x')
  source = imagenet.open_imagenet(root)
  images = source.splits['validation']
  assert [image.label for image in images] == [0, 0, 1, 1, 2, 2]
  assert images[5].name == f'val/{SYNSETS[2]}/001.JPEG'
  assert source.skipped_files == tuple(f'{s}/{SYNSETS[0]}/notes.txt' for s in ('train', 'val'))


@pytest.mark.parametrize(
  ('name', 'text', 'message'),
  [
    ('other.txt', '', 'no list of validation labels; expected one of LOC_val_solution.csv, '),
    ('val.txt', 'val_1.JPEG 0\nval_2.JPEG 0\nval_4.JPEG 0', 'no label for val_3.*no file val_4'),
    ('val.txt', 'val_1.JPEG 7\nval_2.JPEG 0\nval_3.JPEG 0', 'class 7 occurs, but there are only 3'),
    ('val.txt', f'val_1.JPEG {"9" * 5000}\nval_2.JPEG 0\nval_3.JPEG 0', 'class 9{50} occurs'),
    ('val.txt', 'val_1.JPEG 7 8\n', "a file and its class on each line, got 'val_1.JPEG 7 8'"),
    ('val.txt', 'val_1.JPEG\nval_2.JPEG 0\nval_3.JPEG 0', "on each line, got 'val_1.JPEG'"),
    ('validation_synset_labels.txt', 'n1\n', 'has 1 line for 3 files'),
    ('validation_synset_labels.txt', 'n1\nn2\nn1\n', 'no folder for n1; no folder for n2'),
  ],
)
def test_validation_lists_that_do_not_match_the_files(tmp_path, name, text, message):
  root = make_folder(tmp_path)
  (root / name).write_text(text)
  with pytest.raises(DataError, match=message):
    imagenet.open_imagenet(root)


def test_missing_folders(tmp_path):
  with pytest.raises(DataError, match='must have the folders train and val, or'):
    imagenet.open_imagenet(tmp_path)


@pytest.mark.parametrize(
  ('name', 'content', 'message'),
  [
    ('val.txt', b'val_1.JPEG \xff\n', 'is not UTF-8'),
    ('LOC_val_solution.csv', b'ImageId,Label\nval_1,n01440764\n', 'PredictionString'),
    ('LOC_val_solution.csv', b'ImageId,PredictionString\nval_1\n', 'a line for each image'),
    ('LOC_val_solution.csv', b'ImageId,PredictionString\nval_1,\n', 'a line for each image'),
    ('LOC_val_solution.csv', b'a,b\n' + b'x' * 200_000, 'field larger than field limit'),
  ],
)
def test_damaged_lists_are_named(tmp_path, name, content, message):
  root = make_folder(tmp_path)
  (root / name).write_bytes(content)
  with pytest.raises(DataError, match=f'{name}.*{message}'):
    imagenet.open_imagenet(root)


def test_a_damaged_list_of_words_is_named(tmp_path):
  root = make_folder(tmp_path)
  (root / 'val.txt').write_text(LISTS['val.txt'])
  (root / 'synset_words.txt').write_bytes(b'n01440764 tench \xff\n')
  with pytest.raises(DataError, match=r'synset_words\.txt is not UTF-8'):
    imagenet.open_imagenet(root)
