import errno
import gc
import io
import os
import pathlib
import pickle
import re
import struct
import tarfile
import zipfile

import pytest

from tests.data import fabricated
from vgg_slim.data.sources import image_archive, inflation
from vgg_slim.errors import DataError

JPEGS = [fabricated.encoded(fabricated.pixels(seed), 'JPEG') for seed in range(4)]


def write_tar(path, files, mode='w'):
  with tarfile.open(path, mode) as archive:
    for name, data in files.items():
      member = tarfile.TarInfo(name)
      if isinstance(data, bytes):
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
      else:
        member.type, member.linkname = data
        archive.addfile(member)
  return path


FLOWERS = {
  'flowers/rose/2.JPG': JPEGS[1],
  'flowers/rose/1': JPEGS[0],
  'flowers/daisy/deep/1.jpg': JPEGS[2],
  'flowers/._daisy/x.jpg': b'x',
  'flowers/daisy/._1.jpg': b'x',
  'flowers/LICENSE.txt': b'x',
  'flowers/daisy/link.jpg': (tarfile.SYMTYPE, '/etc/passwd'),
  'flowers/daisy/hard.jpg': (tarfile.LNKTYPE, 'flowers/rose/1'),
  'flowers/daisy/device.jpg': (tarfile.CHRTYPE, ''),
}


@pytest.mark.parametrize('mode', ['w', 'w:gz', 'w:bz2', 'w:xz'])
def test_images_are_read_without_extracting_them(tmp_path, mode):
  source = image_archive.open_archive(write_tar(tmp_path / 'x.tar', FLOWERS, mode))
  assert source.class_names == ('daisy', 'rose')
  images = pickle.loads(pickle.dumps(list(source.splits['train'])))
  assert [(image.name, image.label, image.read()) for image in images] == [
    ('daisy/deep/1.jpg', 0, JPEGS[2]),
    ('rose/1', 1, JPEGS[0]),
    ('rose/2.JPG', 1, JPEGS[1]),
  ]
  assert [pathlib.PurePath(name).name for name in source.skipped_files] == [
    'LICENSE.txt',
    'device.jpg',
    'hard.jpg',
    'link.jpg',
  ]
  assert [path.name for path in tmp_path.iterdir()] == ['x.tar']


def test_the_decompressed_copy_is_deleted_with_its_source(tmp_path, monkeypatch):
  monkeypatch.setattr(image_archive.tempfile, 'tempdir', str(tmp_path))
  source = image_archive.open_archive(write_tar(tmp_path / 'x.tgz', FLOWERS, 'w:gz'))
  assert len(list(tmp_path.iterdir())) == 2
  del source
  gc.collect()
  assert [path.name for path in tmp_path.iterdir()] == ['x.tgz']


def test_the_copy_of_a_killed_process_is_removed_by_the_next_but_not_that_of_a_running_one(
  tmp_path, monkeypatch
):
  monkeypatch.setattr(image_archive.tempfile, 'tempdir', str(tmp_path))
  (tmp_path / 'vgg_slim-killed.tar').touch()
  archive = write_tar(tmp_path / 'x.tgz', FLOWERS, 'w:gz')
  sources = [image_archive.open_archive(archive) for _ in range(2)]
  assert len(list(tmp_path.glob('vgg_slim-*.tar'))) == 2
  assert not (tmp_path / 'vgg_slim-killed.tar').exists()
  assert sources[0].splits['train'][0].read()


def test_a_full_temporary_folder_is_named(tmp_path, monkeypatch):
  def check(size, compressed):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

  monkeypatch.setattr(image_archive.inflation, 'check', check)
  archive = write_tar(tmp_path / 'x.tgz', FLOWERS, 'w:gz')
  with pytest.raises(
    DataError, match=r'x.tgz cannot be decompressed to /.*: No space left.*TMPDIR'
  ):
    image_archive.open_archive(archive)


def test_splits(tmp_path):
  files = {
    f'data/{split}/{name}/1.jpg': JPEGS[i]
    for split in ('train', 'val')
    for i, name in enumerate('ab')
  }
  source = image_archive.open_archive(write_tar(tmp_path / 'x.tar', files))
  assert list(source.splits) == ['train', 'validation']
  image = source.splits['validation'][1]
  assert (image.name, image.label, image.read()) == ('val/b/1.jpg', 1, JPEGS[1])
  del files['data/val/b/1.jpg']
  files['data/val/c/1.jpg'] = JPEGS[0]
  with pytest.raises(DataError, match=r"only in train \['b'\], only in val \['c'\]"):
    image_archive.open_archive(write_tar(tmp_path / 'x.tar', files))


@pytest.mark.parametrize('name', ['../a/1.jpg', 'a/../../1.jpg', '/a/1.jpg'])
def test_names_that_point_outside_the_archive(tmp_path, name):
  path = write_tar(tmp_path / 'x.tar', {**FLOWERS, name: JPEGS[3]})
  with pytest.raises(DataError, match='points outside the archive'):
    image_archive.open_archive(path)


def test_no_class_folders(tmp_path):
  with pytest.raises(DataError, match='at least two class folders, found 1: a'):
    image_archive.open_archive(write_tar(tmp_path / 'x.tar', {'a/1.jpg': JPEGS[0]}))
  with pytest.raises(DataError, match='found 0: none'):
    image_archive.open_archive(write_tar(tmp_path / 'x.tar', {'1.jpg': JPEGS[0]}))


@pytest.mark.parametrize('mode', ['w', 'w:gz', 'w:xz'])
def test_damaged_archives(tmp_path, mode):
  path = write_tar(tmp_path / 'x.tar', FLOWERS, mode)
  path.write_bytes(path.read_bytes()[:700] if mode == 'w' else path.read_bytes()[:-20])
  with pytest.raises(DataError, match=r'x\.tar '):
    image_archive.open_archive(path)
  path.write_bytes(b'hello' * 300)
  with pytest.raises(DataError, match='neither a tar nor a zip archive'):
    image_archive.open_archive(path)


def test_class_folders_may_be_missing_if_the_classes_are_given(tmp_path):
  fabricated.write_image_folder(tmp_path / 'x' / 'train', {'cat': 1, 'dog': 2})
  fabricated.write_image_folder(tmp_path / 'x' / 'test', {'dog': 1})
  with tarfile.open(tmp_path / 'x.tar', 'w') as archive:
    archive.add(tmp_path / 'x', '.')
  source = image_archive.open_archive(tmp_path / 'x.tar', ('dog', 'owl', 'cat'))
  assert sorted(image.label for image in source.splits['train']) == [0, 0, 2]
  assert [image.label for image in source.splits['test']] == [0]


def write_zip(path, files, compression=zipfile.ZIP_DEFLATED):
  with zipfile.ZipFile(path, 'w', compression) as archive:
    for name, data in files.items():
      archive.writestr(name, data)
  return path


PETS = {
  'PetImages/Cat/0.jpg': JPEGS[0],
  'PetImages/Cat/Thumbs.db': b'x' * 100,
  'PetImages/Dog/1': JPEGS[1],
  'PetImages/Dog/2.jpg': JPEGS[2],
  '__MACOSX/PetImages/Cat/._0.jpg': b'x',
  'readme[1].txt': b'hello',
}


@pytest.mark.parametrize('compression', [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_zip_archives(tmp_path, compression):
  source = image_archive.open_archive(write_zip(tmp_path / 'x.zip', PETS, compression))
  assert (source.dataset, source.class_names) == ('zip', ('Cat', 'Dog'))
  images = pickle.loads(pickle.dumps(list(source.splits['train'])))
  assert [(image.name, image.label, image.read()) for image in images] == [
    ('Cat/0.jpg', 0, JPEGS[0]),
    ('Dog/1', 1, JPEGS[1]),
    ('Dog/2.jpg', 1, JPEGS[2]),
  ]
  assert source.skipped_files == ('PetImages/Cat/Thumbs.db', 'readme[1].txt')


def test_zip_archives_that_cannot_be_read_in_place(tmp_path):
  path = write_zip(tmp_path / 'x.zip', PETS, zipfile.ZIP_LZMA)
  with pytest.raises(DataError, match='unusual way. Unpack the archive'):
    image_archive.open_archive(path)
  with pytest.raises(DataError, match='points outside the archive'):
    image_archive.open_archive(write_zip(path, {**PETS, '../x/1.jpg': JPEGS[0]}))
  data = bytearray(write_zip(path, PETS).read_bytes())
  data[:4] = b'junk'
  path.write_bytes(data)
  with pytest.raises(DataError, match="'PetImages/Cat/0.jpg' is not where its index says"):
    image_archive.open_archive(path)


def test_a_damaged_image_in_a_zip_archive(tmp_path):
  path = write_zip(tmp_path / 'x.zip', PETS)
  data = bytearray(path.read_bytes())
  start = data.index(b'PetImages/Cat/0.jpg') + len('PetImages/Cat/0.jpg')
  data[start : start + 8] = b'\xff' * 8
  path.write_bytes(data)
  image = image_archive.open_archive(path).splits['train'][0]
  with pytest.raises(OSError, match='compressed bytes are damaged'):
    image.read()


@pytest.mark.parametrize('at', ['a member', 'a header'])
def test_a_tar_that_ends_between_its_images(tmp_path, at):
  path = write_tar(tmp_path / 'x.tar', {f'{c}/{n}.jpg': JPEGS[n] for c in 'ab' for n in range(4)})
  with tarfile.open(path) as archive:
    last = archive.getmembers()[-1]
  path.write_bytes(path.read_bytes()[: last.offset + (300 if at == 'a header' else 0)])
  with pytest.raises(DataError, match='is cut off: the block that ends an archive is missing'):
    image_archive.open_archive(path)


def test_changed_bytes_of_a_stored_image(tmp_path):
  path = write_zip(tmp_path / 'x.zip', PETS, zipfile.ZIP_STORED)
  path.write_bytes(path.read_bytes().replace(JPEGS[0], JPEGS[0][:-9] + b'changed!!'))
  image = image_archive.open_archive(path).splits['train'][0]
  with pytest.raises(OSError, match='do not match their checksum'):
    image.read()


def test_names_in_a_zip_archive_are_utf8_with_or_without_its_flag(tmp_path):
  path = tmp_path / 'x.zip'
  names = [f'{folder}/{i}.png' for folder in ('café', '猫') for i in range(2)]
  with zipfile.ZipFile(path, 'w') as archive:
    for number, name in enumerate(names):
      archive.writestr(name, fabricated.encoded(fabricated.pixels(number)))
  expected = image_archive.open_archive(path)
  data = bytearray(path.read_bytes())
  for signature, at in ((b'PK\3\4', 6), (b'PK\1\2', 8)):
    for match in re.finditer(re.escape(signature), bytes(data)):
      start = match.start() + at
      assert data[start : start + 2] == b'\0\x08'
      data[start : start + 2] = b'\0\0'
  path.write_bytes(data)
  assert zipfile.ZipFile(path).namelist() != names
  source = image_archive.open_archive(path)
  assert source.class_names == expected.class_names == ('café', '猫')
  assert [image.name for image in source.splits['train']] == names
  assert source.splits['train'][3].read() == expected.splits['train'][3].read()


def test_an_archive_that_decompresses_without_end_is_refused(tmp_path, monkeypatch):
  monkeypatch.setattr(inflation, 'FLOOR', 2000)
  monkeypatch.setattr(image_archive, '_BLOCK_BYTES', 1000)
  path = write_tar(tmp_path / 'x.tar.gz', {'a/1.png': bytes(10**6)}, 'w:gz')
  with pytest.raises(DataError, match=r'x\.tar\.gz: .* out of all proportion'):
    image_archive.open_archive(path)


def test_a_member_of_a_zip_that_decompresses_without_end_is_refused(tmp_path, monkeypatch):
  monkeypatch.setattr(inflation, 'FLOOR', 2000)
  with zipfile.ZipFile(tmp_path / 'x.zip', 'w', zipfile.ZIP_DEFLATED) as archive:
    for name in ('a/1.png', 'b/1.png'):
      archive.writestr(name, JPEGS[0] + bytes(10**6))
  images = image_archive.open_archive(tmp_path / 'x.zip').splits['train']
  with pytest.raises(DataError, match='out of all proportion'):
    images[0].read()


@pytest.mark.parametrize('size', [-1, 10**15])
def test_a_member_of_a_size_that_cannot_be_is_refused(tmp_path, size):
  path = write_tar(tmp_path / 'x.tar', {'a/1.png': JPEGS[0], 'b/1.png': JPEGS[1]})
  content = bytearray(path.read_bytes())
  member = tarfile.TarInfo('a/1.png')
  member.size = size
  content[:512] = member.tobuf(tarfile.GNU_FORMAT)
  path.write_bytes(content)
  with pytest.raises(DataError, match=r'x\.tar is '):
    image_archive.open_archive(path)


def damaged_zip(path, record, position, value):
  """Writes an archive with other bytes at `position` of the first `record` of its index."""
  data = bytearray(write_zip(path, PETS, zipfile.ZIP_STORED).read_bytes())
  start = data.index(record) + position
  data[start : start + len(value)] = value
  path.write_bytes(data)
  return path


@pytest.mark.parametrize(
  ('position', 'value', 'reason'),
  [
    (6, b'\xff\x00', 'zip file version 25.5'),  # that is needed to extract the member
    (20, struct.pack('<LL', 2**31, 2**31), "'PetImages/Cat/0.jpg' is larger than the archive"),
    (46, b'\x00', 'string index out of range'),  # an empty name
  ],
)
def test_a_damaged_index_of_a_zip_archive(tmp_path, position, value, reason):
  path = damaged_zip(tmp_path / 'x.zip', b'PK\1\2', position, value)
  with pytest.raises(DataError, match=rf'x\.zip( is damaged)?: ({reason})'):
    image_archive.open_archive(path)
