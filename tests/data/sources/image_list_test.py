import pytest

from vgg_slim.data.sources import image_list
from vgg_slim.errors import DataError


def open_text(folder, text, name='list.csv'):
  for path in ('a/1.png', 'b c/2.png', 'd/3.png'):
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_bytes(path.encode())
  (folder / name).write_text(text, encoding='utf-8')
  return image_list.open_list(folder / name)


def content(source):
  return {
    split: [(image.name, source.class_names[image.label]) for image in images]
    for split, images in source.splits.items()
  }


@pytest.mark.parametrize(
  'text',
  [
    'a/1.png,cat\nb c/2.png,dog\nd/3.png,cat\n',
    'a/1.png\tcat\nb c/2.png\tdog\n\nd/3.png\tcat',
    'a/1.png cat\nb c/2.png dog\nd/3.png cat\n',
    'Label,Filename\ncat,a/1.png\ndog,b c/2.png\n"cat",d/3.png\n',
    '\ufeffpath,label\r\na/1.png, cat\r\nb c/2.png,dog\r\nd/3.png,cat\r\n',
  ],
  ids=['commas', 'tabs', 'spaces', 'header', 'byte order mark'],
)
def test_separators_headers_and_quotes(tmp_path, text):
  source = open_text(tmp_path, text)
  assert content(source) == {
    'train': [('a/1.png', 'cat'), ('b c/2.png', 'dog'), ('d/3.png', 'cat')]
  }
  assert [image.read() for image in source.splits['train']] == [
    b'a/1.png',
    b'b c/2.png',
    b'd/3.png',
  ]


def test_splits(tmp_path):
  text = 'a/1.png,0,test\nb c/2.png,1,VAL\nd/3.png,1,train\na/1.png,0,\n'
  assert content(open_text(tmp_path, text)) == {
    'train': [('d/3.png', '1'), ('a/1.png', '0')],
    'validation': [('b c/2.png', '1')],
    'test': [('a/1.png', '0')],
  }


@pytest.mark.parametrize(
  ('word', 'split'),
  [
    *(('training', 'train'), ('val', 'validation'), ('valid', 'validation')),
    *(('validation', 'validation'), ('Test', 'test')),
  ],
)
def test_words_that_name_a_split(tmp_path, word, split):
  images = content(open_text(tmp_path, f'a/1.png,0,train\nb c/2.png,1,train\nd/3.png,1,{word}\n'))
  assert ('d/3.png', '1') in images[split]


def test_integer_labels_are_sorted_as_integers(tmp_path):
  source = open_text(tmp_path, 'a/1.png 10\nb c/2.png 9\nd/3.png 2\n', 'list.txt')
  assert source.class_names == ('2', '9', '10')


def test_the_state_changes_with_the_list_and_its_images(tmp_path):
  text = 'a/1.png,cat\nb c/2.png,dog\n'
  before = open_text(tmp_path, text).fingerprint
  assert open_text(tmp_path, text + '\n').fingerprint != before
  (tmp_path / 'a' / '1.png').write_bytes(b'longer than before')
  assert image_list.open_list(tmp_path / 'list.csv').fingerprint != before


@pytest.mark.parametrize(
  ('text', 'message'),
  [
    ('', 'list.csv has no lines'),
    ('a/1.png,cat\n', 'at least two classes, found cat'),
    ('path,label\na/1.png,\n,dog\n', 'line 2 needs a path and a label; line 3 needs'),
    (
      'a/1.png,cat,extra\nd/3.png,dog',
      "line 1 has the unknown split 'extra', expected train, validation and test",
    ),
    ('a/1.png,cat\na/1.png,dog\nd/3.png,dog', 'a/1.png is listed 2 times'),
    ('a/1.png,cat,test\nd/3.png,dog,test', 'no lines for the train split'),
  ],
)
def test_unusable_lists(tmp_path, text, message):
  with pytest.raises(DataError, match=message):
    open_text(tmp_path, text)


def test_a_file_that_is_not_text(tmp_path):
  (tmp_path / 'x.csv').write_bytes(b'\xff\xd8\xff')
  with pytest.raises(DataError, match='not UTF-8 text'):
    image_list.open_list(tmp_path / 'x.csv')


def write_images(folder, *paths):
  for path in paths:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_bytes(path.encode())


def test_a_list_of_kaggle(tmp_path):
  write_images(tmp_path, 'train/0a.jpg', 'train/0b.jpg', 'train/1.5.jpg', 'test/9.jpg')
  text = 'id,breed\n0a,pug\n0b,boxer\n1.5,pug\n'
  (tmp_path / 'labels.csv').write_text(text)
  source = image_list.open_list(tmp_path / 'labels.csv')
  assert content(source) == {
    'train': [('train/0a.jpg', 'pug'), ('train/0b.jpg', 'boxer'), ('train/1.5.jpg', 'pug')]
  }
  assert source.splits['train'][0].read() == b'train/0a.jpg'
  assert source.notes == (
    'The first line, id,breed, is taken for a header.',
    '3 files found by name, such as 0a as train/0a.jpg.',
  )


def test_paths_of_windows_and_files_in_other_folders(tmp_path):
  write_images(tmp_path, 'a/1.png', 'b/2.png', 'c/3.png', 'c/4.png', 'd/4.png')
  text = 'a\\1.png,cat\n2.png,dog\nc/3,dog\nc/4,cat\n4,dog\n'
  (tmp_path / 'list.csv').write_text(text)
  names = [image.name for image in image_list.open_list(tmp_path / 'list.csv').splits['train']]
  # Two files could be meant by the last line, so it stays as it is, and cannot be read.
  assert names == ['a/1.png', 'b/2.png', 'c/3.png', 'c/4.png', '4']


def test_a_first_line_whose_image_is_missing_is_not_a_header_if_others_are_missing(tmp_path):
  (tmp_path / 'list.csv').write_text('gone/1.png,cat\ngone/2.png,dog\n')
  source = image_list.open_list(tmp_path / 'list.csv')
  assert len(source.splits['train']) == 2
  assert source.notes == ()


@pytest.mark.parametrize(
  ('text', 'message'),
  [
    (f'a/1.png,cat\n"{"x" * 200_000}",dog\n', 'field larger than field limit'),
    ('a/1.png,cat\nb\0.png,dog\n', 'line 2 has a path with a zero byte'),
    (f'a/1.png,1\nb c/2.png,{"9" * 5000}\n', r'list\.csv: .* has 5000 characters'),
  ],
  ids=['long field', 'zero byte', 'long number'],
)
def test_hostile_lists_are_refused(tmp_path, text, message):
  with pytest.raises(DataError, match=message):
    open_text(tmp_path, text)
