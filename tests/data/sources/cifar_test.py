import collections
import gzip
import io
import os
import pickle
import tarfile
import tracemalloc

import numpy as np
import pytest

from tests.data import fabricated
from vgg_slim.data.sources import cifar, inflation
from vgg_slim.errors import DataError

BINARY = fabricated.cifar_binary_files()


def python2_pickle(values):
  """Pickles a dict opcode by opcode as Python 2 did: str as bytes, names from numpy.core."""

  def put(value):
    if isinstance(value, bytes):
      return b'T' + len(value).to_bytes(4, 'little') + value  # BINSTRING
    if isinstance(value, int):
      return b'J' + value.to_bytes(4, 'little')  # BININT
    if isinstance(value, list):
      return b'](' + b''.join(map(put, value)) + b'e'
    if isinstance(value, tuple):
      return b'(' + b''.join(map(put, value)) + b't'
    if isinstance(value, np.ndarray):
      dtype = b'cnumpy\ndtype\n' + put((b'u1', 0, 1)) + b'R'
      dtype += b'(' + put(3) + put(b'|') + b'NNN' + put(-1 & 0x7FFFFFFF) * 2 + put(0) + b'tb'
      made = b'cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n' + put((0,)) + put(b'b')
      state = b'(' + put(1) + put(value.shape) + dtype + b'\x89' + put(value.tobytes()) + b't'
      return made + b'tR' + state + b'b'
    return b'}(' + b''.join(put(k) + put(v) for k, v in value.items()) + b'u'

  return b'\x80\x02' + put(values) + b'.'


def batch_values(name):
  planes, labels = fabricated.CIFAR_BATCHES[name]
  names = [b'%d.png' % i for i in range(len(labels))]
  return {b'batch_label': b'x', b'labels': labels, b'data': planes, b'filenames': names}


def python_files():
  meta = {b'num_vis': 3072, b'label_names': [n.encode() for n in fabricated.CIFAR_NAMES]}
  batches = {name: python2_pickle(batch_values(name)) for name in fabricated.CIFAR_BATCHES}
  return {'batches.meta': python2_pickle(meta), **batches}


def write_folder(folder, files):
  folder.mkdir(parents=True)
  for name, data in files.items():
    (folder / name).write_bytes(data)
  return folder


def write_archive(path, folder, files):
  with tarfile.open(path, 'w:gz') as archive:
    for name, data in files.items():
      member = tarfile.TarInfo(f'{folder}/{name}')
      member.size = len(data)
      archive.addfile(member, io.BytesIO(data))
  return path


def image_by_loops(row):
  image = np.zeros((32, 32, 3), np.uint8)
  for y, x, channel in np.ndindex(32, 32, 3):
    image[y, x, channel] = row[channel * 1024 + y * 32 + x]
  return image


def check_content(path):
  names, arrays = cifar.read_cifar('cifar10', path)
  assert names == fabricated.CIFAR_NAMES
  images, labels = arrays['train']
  assert images.shape == (10, 32, 32, 3)
  assert labels.tolist() == [1, 2, 2, 0, 0, 1, 1, 2, 2, 0]
  planes, _ = fabricated.CIFAR_BATCHES['data_batch_2']
  np.testing.assert_array_equal(images[3], image_by_loops(planes[1]))
  images, labels = arrays['test']
  assert labels.tolist() == [0, 1]
  planes, _ = fabricated.CIFAR_BATCHES['test_batch']
  np.testing.assert_array_equal(images[0], image_by_loops(planes[0]))


@pytest.mark.parametrize(
  ('files', 'folder', 'archive'),
  [
    (BINARY, 'cifar-10-batches-bin', 'cifar-10-binary.tar.gz'),
    (python_files(), 'cifar-10-batches-py', 'cifar-10-python.tar.gz'),
  ],
  ids=['binary', 'python'],
)
def test_extracted_files_and_archives_are_read(tmp_path, files, folder, archive):
  extracted = write_folder(tmp_path / 'a' / folder, files)
  check_content(extracted)
  check_content(extracted.parent)
  packed = write_archive(tmp_path / archive, folder, files)
  check_content(packed)
  check_content(tmp_path)


@pytest.mark.filterwarnings('ignore:numpy.core:DeprecationWarning')
def test_numpy_reads_the_fabricated_pickle():
  values = batch_values('test_batch')
  got = pickle.loads(python2_pickle(values), encoding='bytes')
  np.testing.assert_array_equal(got.pop(b'data'), values.pop(b'data'))
  assert got == values


@pytest.mark.parametrize('protocol', [2, 3, 4])
def test_pickles_of_current_numpy_are_read(protocol):
  data = pickle.dumps(batch_values('test_batch'), protocol)
  values = cifar.load_pickle(data)
  planes, labels = fabricated.CIFAR_BATCHES['test_batch']
  np.testing.assert_array_equal(values['data'], planes)
  assert values['labels'] == labels


def test_an_array_in_fortran_order_is_read():
  array = np.asfortranarray(np.arange(6, dtype=np.uint8).reshape(2, 3))
  assert cifar.load_pickle(pickle.dumps({'data': array}, 2))['data'].tolist() == array.tolist()


class _Attack:
  def __init__(self, path):
    self.path = path

  def __reduce__(self):
    return os.mkdir, (str(self.path),)


@pytest.mark.parametrize('protocol', [0, 2, 4])
def test_a_malicious_pickle_does_not_run(tmp_path, protocol):
  target = tmp_path / 'broken-in'
  files = {**python_files(), 'data_batch_3': pickle.dumps({'data': _Attack(target)}, protocol)}
  folder = write_folder(tmp_path / 'cifar-10-batches-py', files)
  with pytest.raises(DataError, match=r'data_batch_3: the pickle asks for \w+\.mkdir'):
    cifar.read_cifar('cifar10', folder)
  assert not target.exists()
  pickle.loads(files['data_batch_3'])
  assert target.exists()  # the attack is real


@pytest.mark.parametrize(
  ('data', 'message'),
  [
    (pickle.dumps({'data': np.zeros(3)}, 2), "array of type 'f8'; only uint8"),
    (pickle.dumps({'data': np.array([{}], object)}, 2), "array of type 'O8'; only uint8"),
    (pickle.dumps(collections.OrderedDict(), 2), r'asks for collections\.OrderedDict'),
    (b'c__builtin__\neval\n(S"1"\ntR.', r'asks for __builtin__\.eval'),
    (b'cnumpy\ndtype.__class__\n(S"1"\ntR.', r'asks for numpy\.dtype\.__class__'),
    (pickle.dumps([1]), 'holds a list, expected a dict'),
    (python_files()['test_batch'][:-10], 'damaged pickle'),
    (b'', 'damaged pickle'),
  ],
)
def test_a_pickle_of_anything_else_is_refused(data, message):
  with pytest.raises(DataError, match=message):
    cifar.load_pickle(data)


def test_all_missing_files_are_named(tmp_path):
  files = {n: d for n, d in BINARY.items() if n not in ('data_batch_2.bin', 'batches.meta.txt')}
  archive = write_archive(tmp_path / 'some.tar.gz', 'x', files)
  for path in (write_folder(tmp_path / 'x', files), archive):
    with pytest.raises(DataError, match=r'lacks .* batches\.meta\.txt, data_batch_2\.bin\.'):
      cifar.read_cifar('cifar10', path)


def test_no_cifar_files(tmp_path):
  with pytest.raises(DataError, match='expected one of cifar-10-binary.tar.gz, cifar-10-batches-b'):
    cifar.read_cifar('cifar10', tmp_path)
  packed = write_archive(tmp_path / 'other.tar.gz', 'x', {'a.txt': b'a'})
  with pytest.raises(DataError, match='contains no CIFAR files'):
    cifar.read_cifar('cifar10', packed)


def test_a_truncated_batch(tmp_path):
  files = {**BINARY, 'test_batch.bin': BINARY['test_batch.bin'][:-1]}
  with pytest.raises(DataError, match='test_batch.bin: 6145 bytes are not a whole number of 3073'):
    cifar.read_cifar('cifar10', write_folder(tmp_path / 'x', files))


@pytest.mark.parametrize('size', [0, 10, 5000])
def test_a_truncated_archive(tmp_path, size):
  packed = write_archive(tmp_path / 'cifar-10-binary.tar.gz', 'x', BINARY)
  packed.write_bytes(packed.read_bytes()[:size])
  with pytest.raises(DataError, match=r'cifar-10-binary\.tar\.gz cannot be read'):
    cifar.read_cifar('cifar10', tmp_path)


@pytest.mark.parametrize(
  ('change', 'message'),
  [
    ({b'data': np.zeros((2, 3071), np.uint8)}, r'data is not a uint8 array of shape \[N, 3072\]'),
    ({b'labels': [0, 300]}, r'labels is not a list of integers in \[0, 256\)'),
    ({b'labels': [0]}, '2 images, but 1 label'),
  ],
)
def test_a_batch_with_wrong_contents(tmp_path, change, message):
  batch = python2_pickle({**batch_values('data_batch_4'), **change})
  folder = write_folder(tmp_path / 'x', {**python_files(), 'data_batch_4': batch})
  with pytest.raises(DataError, match=f'data_batch_4: {message}'):
    cifar.read_cifar('cifar10', folder)


@pytest.mark.parametrize('meta', [{}, {b'label_names': b'a'}, {b'label_names': [b'a', 2]}])
def test_metadata_without_class_names(tmp_path, meta):
  folder = write_folder(tmp_path / 'x', {**python_files(), 'batches.meta': python2_pickle(meta)})
  with pytest.raises(DataError, match='has no list of names under label_names'):
    cifar.read_cifar('cifar10', folder)


def cifar100_files(kind):
  """Makes six images in two splits, of coarse classes 0 1 0 1 0 1 and fine classes 2 1 0 2 1 0."""
  planes = np.random.default_rng(0).integers(0, 256, (6, 3072), dtype=np.uint8)
  coarse, fine = [i % 2 for i in range(6)], [(2 - i) % 3 for i in range(6)]
  names = {'coarse': [b'fish', b'tree'], 'fine': [b'cod', b'elm', b'oak']}
  splits = {'train': range(4), 'test': range(4, 6)}
  if kind == 'binary':
    files = {f'{key}_label_names.txt': b'\n'.join(value) + b'\n' for key, value in names.items()}
    for split, indices in splits.items():
      rows = (bytes((coarse[i], fine[i])) + planes[i].tobytes() for i in indices)
      files[f'{split}.bin'] = b''.join(rows)
    return planes, files
  files = {'meta': python2_pickle({b'%s_label_names' % k.encode(): v for k, v in names.items()})}
  for split, indices in splits.items():
    values = {
      b'data': planes[list(indices)],
      b'fine_labels': [fine[i] for i in indices],
      b'coarse_labels': [coarse[i] for i in indices],
    }
    files[split] = python2_pickle(values)
  return planes, files


@pytest.mark.parametrize('kind', ['binary', 'python'])
def test_cifar100_has_coarse_and_fine_labels(tmp_path, kind):
  planes, files = cifar100_files(kind)
  packed = write_archive(tmp_path / f'cifar-100-{kind}.tar.gz', f'cifar-100-{kind}', files)
  for dataset, names, train, test in (
    ('cifar100', ('cod', 'elm', 'oak'), [2, 1, 0, 2], [1, 0]),
    ('cifar100_coarse', ('fish', 'tree'), [0, 1, 0, 1], [0, 1]),
  ):
    class_names, arrays = cifar.read_cifar(dataset, packed)
    assert class_names == names
    assert arrays['train'][1].tolist() == train
    assert arrays['test'][1].tolist() == test
    np.testing.assert_array_equal(arrays['test'][0][1], image_by_loops(planes[5]))


def test_a_pickle_takes_no_memory_that_it_does_not_fill():
  far = b'\x80\x02}r' + (2**24).to_bytes(4, 'little') + b'.'  # remembers the dict under a number
  tracemalloc.start()
  try:
    assert cifar.load_pickle(far) == {}
    assert tracemalloc.get_traced_memory()[1] < 10**6
  finally:
    tracemalloc.stop()


def test_an_archive_that_decompresses_without_end_is_refused(tmp_path, monkeypatch):
  monkeypatch.setattr(inflation, 'FLOOR', 2000)
  path = tmp_path / 'cifar-10-binary.tar.gz'
  with tarfile.open(path, 'w:gz') as archive:
    member = tarfile.TarInfo('test_batch.bin')
    member.size = 10**6
    archive.addfile(member, io.BytesIO(bytes(10**6)))
  with pytest.raises(DataError, match=r'test_batch\.bin: .* out of all proportion'):
    cifar.read_cifar('cifar10', path)


@pytest.mark.parametrize('size', [2**63, 2**66])
def test_an_archive_with_a_member_of_a_size_that_cannot_be_is_refused(tmp_path, size):
  path = write_archive(tmp_path / 'cifar-10-binary.tar.gz', 'x', BINARY)
  content = bytearray(gzip.decompress(path.read_bytes()))
  member = tarfile.TarInfo(f'x/{next(iter(BINARY))}')
  member.size = size
  content[:512] = member.tobuf(tarfile.GNU_FORMAT)
  path.write_bytes(gzip.compress(content))
  with pytest.raises(DataError, match=r'cifar-10-binary\.tar\.gz cannot be read'):
    cifar.read_cifar('cifar10', path)
