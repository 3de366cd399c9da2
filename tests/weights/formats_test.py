import hashlib
import io
import zipfile

import h5py
import numpy as np
import pytest

from tests.weights.fabricated import save_checkpoint
from vgg_slim.errors import CheckpointError
from vgg_slim.weights import formats


def zipped(*members):
  buffer = io.BytesIO()
  with zipfile.ZipFile(buffer, 'w') as archive:
    for member in members:
      archive.writestr(member, b'x')
  return buffer.getvalue()


def hdf5():
  buffer = io.BytesIO()
  with h5py.File(buffer, 'w') as file:
    file['a'] = [1.0]
  return buffer.getvalue()


def npy():
  buffer = io.BytesIO()
  np.save(buffer, np.ones(2))
  return buffer.getvalue()


@pytest.mark.parametrize(
  ('name', 'data', 'kind'),
  [
    ('a.bin', hdf5(), 'keras'),
    ('a.zip', zipped('config.json', 'model.weights.h5'), 'keras'),
    ('a', zipped('archive/data.pkl', 'archive/data/0'), 'torch'),
    ('a.npz', zipped('a.npy', 'b/c.npy'), 'npz'),
    ('a.npy', npy(), 'npy'),
    ('a.pth', b'\x80\x02\x8a', 'torch'),
    ('a.dat', (8).to_bytes(8, 'little') + b'{"a": 1}', 'safetensors'),
    ('a.onnx', b'\x08\x07', 'onnx'),
  ],
)
def test_the_bytes_decide_except_for_onnx(tmp_path, name, data, kind):
  (tmp_path / name).write_bytes(data)
  assert formats.find_format(str(tmp_path / name)) == kind


@pytest.mark.parametrize('version', [1, 2])
def test_checkpoints_of_both_formats_are_recognized(tmp_path, version):
  save_checkpoint(tmp_path / 'm', {'a': np.ones(2, np.float32)}, version)
  assert formats.find_format(str(tmp_path / 'm')) == 'checkpoint'
  assert list(formats.read(str(tmp_path / 'm')).arrays) == ['a']


@pytest.mark.parametrize(
  ('name', 'data', 'message'),
  [
    ('a.txt', b'hello, world, hello', 'a.txt has an unknown format; expected a TensorFlow'),
    ('a.zip', zipped('readme.txt'), 'a.zip has an unknown format'),
    ('a.h5', b'', 'a.h5 is empty'),
    ('a.keras', zipped('model.weights.h5')[:-10], 'starts as a zip archive.*truncated'),
  ],
)
def test_files_of_unknown_format_are_named_with_the_known_formats(tmp_path, name, data, message):
  (tmp_path / name).write_bytes(data)
  with pytest.raises(CheckpointError, match=message):
    formats.find_format(str(tmp_path / name))


def test_a_missing_file_and_an_empty_folder_are_named(tmp_path):
  with pytest.raises(CheckpointError, match='x cannot be read: No such file.*expected'):
    formats.read(str(tmp_path / 'x'))
  with pytest.raises(CheckpointError, match='is a folder without a checkpoint'):
    formats.read(str(tmp_path))


def test_hash_covers_the_file_or_all_files_of_a_checkpoint(tmp_path):
  (tmp_path / 'f').write_bytes(b'abc')
  assert formats.sha256(str(tmp_path / 'f')) == hashlib.sha256(b'abc').hexdigest()
  save_checkpoint(tmp_path / 'm', {'a': np.ones(2, np.float32)})
  data = (tmp_path / 'm.data-00000-of-00001').read_bytes() + (tmp_path / 'm.index').read_bytes()
  assert formats.sha256(str(tmp_path / 'm')) == hashlib.sha256(data).hexdigest()
