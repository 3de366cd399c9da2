import io
import pathlib
import re
import zipfile

import numpy as np
import pytest

from vgg_slim import array_archives
from vgg_slim.errors import DataError


def read(path, name='a'):
  with array_archives.open_arrays(path) as arrays:
    return arrays[name]


def with_member(path, content):
  with zipfile.ZipFile(path, 'w') as archive:
    archive.writestr('a.npy', content)
  return path


def header(shape, descr='<f4'):
  stream = io.BytesIO()
  np.lib.format.write_array_header_1_0(
    stream, {'descr': descr, 'fortran_order': False, 'shape': shape}
  )
  return stream.getvalue()


@pytest.mark.parametrize('save', [np.savez, np.savez_compressed])
def test_arrays_are_read_as_numpy_writes_them(tmp_path, save):
  path = tmp_path / 'arrays.npz'
  values = {'a': np.arange(6.0).reshape(2, 3), 'b': np.array(['x', 'é']), 'empty': np.zeros([0, 3])}
  save(path, **values)
  for name, value in values.items():
    np.testing.assert_array_equal(read(path, name), value)


def test_what_a_header_declares_is_not_allocated_before_it_is_known_to_be_there(tmp_path):
  path = with_member(tmp_path / 'a.npz', header((2**44,)))  # 64 TiB
  with pytest.raises(ValueError, match=re.escape('a.npy declares [17592186044416] values')):
    read(path)


@pytest.mark.parametrize(
  ('content', 'message'),
  [
    (b'', 'EOF'),
    (b'\x93NUMPY\x01\x00', 'EOF'),
    (header((1,), '|O') + b'\x80\x04N.', 'allow_pickle'),
  ],
)
def test_a_damaged_or_pickled_member_is_an_error_in_words(tmp_path, content, message):
  with pytest.raises(ValueError, match=message):
    read(with_member(tmp_path / 'a.npz', content))


def test_a_name_that_is_missing_and_a_single_array_are_errors(tmp_path):
  np.savez(tmp_path / 'a.npz', b=1)
  with pytest.raises(ValueError, match='a is not a file in the archive'):
    read(tmp_path / 'a.npz')
  np.save(tmp_path / 'a.npy', np.zeros([2, 3]))
  with pytest.raises(ValueError, match=re.escape('it holds a single array [2, 3] without a name')):
    read(tmp_path / 'a.npy')
  with pytest.raises(FileNotFoundError):
    read(pathlib.Path(tmp_path, 'missing.npz'))


def test_an_error_of_the_block_stays_what_it_is(tmp_path):
  np.savez(tmp_path / 'a.npz', a=1)
  with (
    pytest.raises(DataError, match='of the caller'),
    array_archives.open_arrays(tmp_path / 'a.npz'),
  ):
    raise DataError('of the caller')


def test_a_header_that_is_no_python_is_refused(tmp_path):
  content = header((2,)).replace(b'(2,)', b'((2,')
  with pytest.raises(ValueError, match='EOF in multi-line'):
    read(with_member(tmp_path / 'a.npz', content))


@pytest.mark.parametrize('order', '<>')
def test_texts_are_characters(order):
  assert array_archives.texts(np.array(['cat', 'été'], f'{order}U3')) == ['cat', 'été']
  assert array_archives.texts(np.array([1, 20])) == ['1', '20']
  numbers = np.array([99, 0x110000, 116], f'{order}u4').view(f'{order}U3')
  with pytest.raises(ValueError, match='not characters'):
    array_archives.texts(numbers)
