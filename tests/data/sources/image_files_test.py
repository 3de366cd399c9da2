import io
import os

import numpy as np
import pytest
from PIL import Image

from tests.data import fabricated
from vgg_slim.data.sources.image_files import list_files, read_file
from vgg_slim.errors import DataError
from vgg_slim.preprocessing import png_files


@pytest.fixture
def folder(tmp_path, monkeypatch):
  for name in ('b.jpg', 'a.PNG', 'notes.txt', '.hidden.jpg', 'deep/er/c.jpeg', '.git/x.png'):
    path = tmp_path / 'photos' / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
  monkeypatch.chdir(tmp_path)
  return tmp_path


ALL = ['photos/a.PNG', 'photos/b.jpg', 'photos/deep/er/c.jpeg']


@pytest.mark.parametrize(
  ('arguments', 'expected'),
  [
    (['photos'], ALL),
    (['photos/notes.txt'], ['photos/notes.txt']),  # kept because it is named
    (['photos/*.jpg'], ['photos/b.jpg']),
    (['photos/**/*.jp*g'], ['photos/b.jpg', 'photos/deep/er/c.jpeg']),
    (['photos/b.jpg', 'photos'], [ALL[1], ALL[0], ALL[2]]),
    (['nowhere.jpg', 'no/*.jpg'], ['nowhere.jpg', 'no/*.jpg']),
    (['-', 'photos/a.PNG'], ['photos/b.jpg', 'gone.png', 'photos/a.PNG']),
    ([], []),
  ],
)
def test_arguments_are_expanded_to_files(folder, arguments, expected):
  assert list_files(arguments, ['photos/b.jpg\n', '\n', 'gone.png\r\n']) == expected


def test_a_folder_means_what_the_converter_takes(folder):
  photo = fabricated.encoded(fabricated.pixels(0), 'JPEG')
  for name in (
    'photos/IMG_1',
    'photos/x.jpg_large',
    'elsewhere/linked.png',
    'photos/__MACOSX/a.png',
  ):
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(photo)
  (folder / 'photos/link').symlink_to(folder / 'elsewhere')
  (folder / 'photos/loop').symlink_to(folder / 'photos')
  others = ['photos/IMG_1', 'photos/link/linked.png', 'photos/x.jpg_large']
  assert list_files(['photos']) == sorted([*ALL, *others])


def test_files_that_are_passed_over_are_counted(folder, caplog):
  for name in ('photos/a.xml', 'photos/deep/b.XML', 'photos/Makefile'):
    (folder / name).touch()
  list_files(['photos', 'photos/notes.txt'])
  (warning,) = caplog.messages
  assert warning == (
    'photos: passed over 4 files (2 .xml, 1 .txt, 1 without), not images by extension or content.'
  )
  caplog.clear()
  list_files(['photos/a.PNG', 'photos/deep/er'])
  assert not caplog.messages


def test_an_existing_file_is_preferred_to_a_pattern(folder):
  (folder / 'x[1].jpg').touch()
  (folder / 'x1.jpg').touch()  # which the name matches as a pattern
  assert list_files(['x[1].jpg']) == ['x[1].jpg']


def test_a_png_keeps_its_bytes_and_other_formats_are_converted(tmp_path):
  pixels = fabricated.pixels(0)
  png = png_files.encode(pixels)
  (tmp_path / 'a.png').write_bytes(png)
  assert read_file(str(tmp_path / 'a.png')).encoded == png
  Image.fromarray(pixels).save(tmp_path / 'a.bmp')
  encoded = read_file(str(tmp_path / 'a.bmp')).encoded
  assert np.array_equal(Image.open(io.BytesIO(encoded)), pixels)


def test_the_message_says_why_a_file_cannot_be_read(tmp_path):
  (tmp_path / 'x.jpg').write_bytes(b'GIF?')
  for name, reason in (
    ('x.jpg', 'not an image that Pillow can read'),
    ('y.jpg', 'No such file or directory'),
    ('', 'not a regular file'),
  ):
    with pytest.raises(DataError, match=reason):
      read_file(str(tmp_path / name))


def test_a_pipe_is_not_read(tmp_path):
  os.mkfifo(tmp_path / 'x.png')  # reading it would wait for a writer
  with pytest.raises(DataError, match='not a regular file'):
    read_file(str(tmp_path / 'x.png'))


def test_a_name_with_nul_is_a_file_that_cannot_be_read(tmp_path):
  assert list_files(['a\0b.jpg']) == ['a\0b.jpg']
  with pytest.raises(DataError, match='cannot contain the character NUL'):
    read_file(f'{tmp_path}/a\0b.jpg')
