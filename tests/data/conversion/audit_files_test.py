import collections

import numpy as np
import pytest

from tests.data import fabricated
from vgg_slim.data.conversion import audit_files, converter
from vgg_slim.data.conversion.splitting import SplitRule
from vgg_slim.data.sources import image_folder


@pytest.fixture(scope='module')
def data_dir(tmp_path_factory):
  """Four cats and eight dogs; one dog is also a cat and a test image, one file is broken."""
  root = tmp_path_factory.mktemp('audit')
  photos = root / 'photos'
  fabricated.write_image_folder(photos / 'train', {'cat': 4, 'dog': 8})
  fabricated.write_image_folder(photos / 'test', {'cat': 1, 'dog': 1})
  train, test = photos / 'train', photos / 'test'
  for folder in (train, test):
    for i, path in enumerate(sorted(folder.rglob('*.png'))):
      pixels = fabricated.pixels([i, len(folder.name)], 40, 50)
      path.write_bytes(fabricated.encoded(pixels))
  dog = (train / 'dog' / '003.png').read_bytes()
  (train / 'cat' / '001.png').write_bytes(dog)
  (test / 'dog' / '000.png').write_bytes(dog)
  (train / 'dog' / '007.png').write_bytes(b'')
  (train / 'dog' / 'notes.txt').write_bytes(b'x')
  (train / 'dog' / '006.png').write_bytes(fabricated.encoded(fabricated.pixels(5, 9, 12), 'BMP'))
  converter.convert(image_folder.open_folder(photos), root / 'out', converter.Options(SplitRule(0)))
  return root / 'out'


def test_lists_hold_what_was_planted(data_dir):
  assert (data_dir / 'quarantine.csv').read_text() == (
    'file,class,reason\n'
    'train/dog/007.png,dog,"the file is empty; copy, download or save the file again"\n'
  )
  assert (data_dir / 'fixed.csv').read_text() == (
    'file,class,what\ntrain/dog/006.png,dog,BMP file named .png\ntrain/dog/006.png,dog,BMP file\n'
  )
  lines = (data_dir / 'duplicates.csv').read_text().splitlines()
  assert lines[0] == 'group,split,file,class'
  assert sorted(lines[1:3]) == ['1,train,train/cat/001.png,cat', '1,train,train/dog/003.png,dog']
  assert lines[3:] == ['1,test,test/dog/000.png,dog']
  assert (data_dir / 'other_files.csv').read_text() == (
    'file,reason\n'
    'train/dog/notes.txt,neither its extension nor its first bytes are those of an image\n'
  )
  assert audit_files.describe_lists(data_dir) == [
    f'1 image left out (1 .png): {data_dir}/quarantine.csv',
    f'1 image fixed (1 .png): {data_dir}/fixed.csv',
    f'3 images with duplicates (3 .png): {data_dir}/duplicates.csv',
    f'1 file passed over (1 .txt): {data_dir}/other_files.csv',
  ]


def test_report_agrees_with_the_lists(data_dir):
  text = (data_dir / 'report.html').read_text(encoding='utf-8')
  assert 'equal images: 1 (3 images). Groups across splits: 1; across classes: 1.' in text
  assert 'has 7 images, the smallest 4: 1.75 to 1.' in text
  reason = '<td>neither its extension nor its first bytes are those of an image</td>'
  assert f'{reason}<td class="number">1</td><td>train/dog/notes.txt</td>' in text
  assert '<h1>Audit of 13 images of 2 classes (folder)</h1>' in text
  assert '>train/dog/000.png</figcaption>' in text
  counts = ''.join(f'<td class="number">{n}</td>' for n in (12, 1, 1, 0))
  assert f'<td>.png</td>{counts}' in text
  assert '<td>smaller side of 32 to 63 pixels</td><td>12 images</td>' in text
  assert '<td>smaller side below 32 pixels</td><td>train/dog/006.png</td>' in text
  assert text.count('<figure ') == 11  # all images of the training split
  tags = collections.Counter({'http': text.count('http:'), 'src': text.count('src="data:image')})
  assert tags == {'src': 11, 'http': 0}


@pytest.mark.parametrize(
  ('class_name', 'name', 'caption'),
  [
    ('cat', 'cat/1.png', 'cat/1.png'),
    ('big/cat', 'train/big/cat/1.png', 'train/big/cat/1.png'),
    ('cat', 'cats/1.png', 'cat: cats/1.png'),
    ('cat', '17', 'cat: 17'),
  ],
)
def test_a_caption_has_the_class_once(class_name, name, caption):
  assert audit_files._caption(class_name, name) == caption


def test_empty_lists_are_not_written(tmp_path):
  photos = fabricated.write_image_folder(tmp_path / 'x', {'a': 2, 'b': 2})
  source = image_folder.open_folder(photos)
  converter.convert(source, tmp_path / 'out', converter.Options(SplitRule(0)))
  assert audit_files.describe_lists(tmp_path / 'out') == []
  assert 'None: no two images' in (tmp_path / 'out' / 'report.html').read_text()
  assert np.array_equal(sorted(p.name for p in (tmp_path / 'out').glob('*.csv')), [])
