import h5py
import numpy as np
import pytest

from vgg_slim.errors import CheckpointError
from vgg_slim.weights import formats, hdf5_links


@pytest.fixture
def folder(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  (tmp_path / 'secret.txt').write_bytes(b'pass' * 6)
  with h5py.File('other.h5', 'w') as file:
    file['kernel'] = np.ones((2, 3), np.float32)
  return tmp_path


def add_external_storage(group):
  group.create_dataset('kernel', shape=(2, 3), dtype='f4', external=[('secret.txt', 0, 24)])


def add_external_link(group):
  group['kernel'] = h5py.ExternalLink('other.h5', '/kernel')


def add_virtual_dataset(group):
  layout = h5py.VirtualLayout((2, 3), 'f4')
  layout[...] = h5py.VirtualSource('other.h5', '/kernel', (2, 3))
  group.create_virtual_dataset('kernel', layout)


@pytest.mark.parametrize(
  ('add', 'message'),
  [
    (add_external_storage, 'a.h5: a/kernel is stored in secret.txt. Files that take data from'),
    (add_external_link, 'a.h5: a/kernel links to other.h5. Files that take data from other files'),
    (add_virtual_dataset, 'a.h5: a/kernel is a view of other.h5. Files that take data from other'),
  ],
)
def test_data_of_other_files_is_refused_by_name(folder, add, message):
  with h5py.File('a.h5', 'w') as file:
    file.attrs['layer_names'] = ['a']
    group = file.create_group('a')
    group.attrs['weight_names'] = ['kernel']
    add(group)
  with h5py.File('a.h5') as file:  # without the check it would come back as weights
    assert file['a/kernel'][()].shape == (2, 3)
  with pytest.raises(CheckpointError, match=message):
    formats.read('a.h5')


def test_links_within_the_file_are_followed(folder):
  with h5py.File('a.h5', 'w') as file:
    file['x/kernel'] = np.ones((2, 3), np.float32)
    file['x/again'] = h5py.SoftLink('/x/kernel')
    file['x/dangling'] = h5py.SoftLink('/nowhere')
    file['x/hard'] = file['x/kernel']
    file['x/loop'] = file['x']
    layout = h5py.VirtualLayout((2, 3), 'f4')
    layout[...] = h5py.VirtualSource(file['x/kernel'])
    file.create_virtual_dataset('x/view', layout)
    hdf5_links.check_is_self_contained('a.h5', file)


def test_all_items_are_counted(folder):
  with h5py.File('a.h5', 'w') as file:
    add_external_link(file)
    file['deep/er/link'] = h5py.ExternalLink('third.h5', '/')
    with pytest.raises(CheckpointError, match='a.h5: .* and 1 more. Files that take'):
      hdf5_links.check_is_self_contained('a.h5', file)


def test_damage_that_only_keras_would_read_is_found(folder):
  with h5py.File('a.h5', 'w') as file:
    file.create_group('model_weights').attrs['layer_names'] = ['a']
    file['model_weights/a/kernel'] = np.ones((2, 3), np.float32)
    file['model_weights/a'].attrs['weight_names'] = ['kernel']
    dataset = file.create_dataset(
      'optimizer_weights/m', (1000,), 'f4', chunks=(1000,), compression=9
    )
    dataset.id.write_direct_chunk((0,), b'these bytes are not what zlib has written')
  with pytest.raises(CheckpointError, match='a.h5 cannot be read as a Keras file'):
    formats.read('a.h5')
