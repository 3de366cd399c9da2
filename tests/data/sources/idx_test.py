import gzip
import pathlib

import numpy as np
import pytest

from tests.data import fabricated
from vgg_slim.data.sources import idx, inflation
from vgg_slim.errors import DataError

TRAIN_IMAGES = 'train-images-idx3-ubyte'


@pytest.mark.parametrize('zipped', [True, False])
def test_arrays_are_read_as_they_were_written(tmp_path, zipped):
  written = fabricated.write_fashion_mnist(tmp_path, zipped=zipped)
  got = idx.read_fashion_mnist(tmp_path)
  assert list(got) == ['train', 'test']
  for split, (images, labels) in written.items():
    np.testing.assert_array_equal(got[split][0], images)
    np.testing.assert_array_equal(got[split][1], labels)


def test_file_names_may_have_any_prefix(tmp_path):
  written = fabricated.write_fashion_mnist(tmp_path)
  for path in list(tmp_path.iterdir()):
    name = path.name.replace('train-', 'emnist-letters-train-').replace('t10k-', 'letters-test-')
    path.rename(tmp_path / name)
  got = idx.read_idx_folder(tmp_path)
  assert list(got) == ['train', 'test']
  np.testing.assert_array_equal(got['test'][0], written['test'][0])
  fabricated.write_fashion_mnist(tmp_path)
  with pytest.raises(DataError, match='two test splits: letters-test and t10k'):
    idx.read_idx_folder(tmp_path)


def test_a_folder_without_idx_files(tmp_path):
  with pytest.raises(DataError, match=r'has no training images, a file \*-images-idx3-ubyte'):
    idx.read_idx_folder(tmp_path)


def test_a_file_written_by_hand(tmp_path):
  path = tmp_path / 'x'
  path.write_bytes(bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 10, 11, 12, 13, 14, 15]))
  assert idx.read_idx(path, ndim=2).tolist() == [[10, 11, 12], [13, 14, 15]]


def test_all_missing_files_are_named(tmp_path):
  fabricated.write_fashion_mnist(tmp_path)
  (tmp_path / f'{TRAIN_IMAGES}.gz').unlink()
  (tmp_path / 't10k-labels-idx1-ubyte.gz').unlink()
  with pytest.raises(DataError) as caught:
    idx.read_fashion_mnist(tmp_path)
  assert f'{TRAIN_IMAGES}, ' in str(caught.value)
  assert 't10k-labels-idx1-ubyte (' in str(caught.value)
  assert 't10k-images' not in str(caught.value)
  assert 'dataset-fashion-mnist' in str(caught.value)


@pytest.mark.parametrize(
  ('data', 'message'),
  [
    (b'PK\x03\x04', "starts with '50 4b 03 04', expected '00 00 08 03'"),
    (fabricated.idx_bytes(np.zeros(4, np.uint8)), "starts with '00 00 08 01', expected"),
    (b'', 'is not a 3-dimensional uint8 IDX file'),
    (fabricated.idx_bytes(np.zeros((2, 3, 4), np.uint8))[:-1], r'39 bytes, expected 40 for shape'),
    (fabricated.idx_bytes(np.zeros((2, 3, 4), np.uint8)) + b'x', r'41 bytes, expected 40'),
  ],
)
def test_the_message_says_what_a_damaged_file_has_and_what_is_expected(tmp_path, data, message):
  path = tmp_path / TRAIN_IMAGES
  path.write_bytes(data)
  with pytest.raises(DataError, match=message):
    idx.read_idx(path, ndim=3)


@pytest.mark.parametrize('keep', [0.5, 0.0])
def test_a_truncated_gzip_file_is_named(tmp_path, keep):
  path = tmp_path / f'{TRAIN_IMAGES}.gz'
  data = gzip.compress(fabricated.idx_bytes(fabricated.pixels(0)))
  path.write_bytes(data[: int(len(data) * keep)])
  with pytest.raises(DataError, match=TRAIN_IMAGES):
    idx.read_idx(path, ndim=3)


def test_a_file_that_is_not_gzip_is_named(tmp_path):
  path = tmp_path / f'{TRAIN_IMAGES}.gz'
  path.write_bytes(b'hello, no gzip here')
  with pytest.raises(DataError, match=f'{TRAIN_IMAGES}.gz cannot be read: Not a gzipped file'):
    idx.read_idx(path, ndim=3)


def test_different_numbers_of_images_and_labels(tmp_path):
  fabricated.write_fashion_mnist(tmp_path)
  path = tmp_path / 'train-labels-idx1-ubyte.gz'
  path.write_bytes(gzip.compress(fabricated.idx_bytes(np.zeros(5, np.uint8))))
  with pytest.raises(DataError, match='has 6 images, .* has 5 labels'):
    idx.read_fashion_mnist(tmp_path)


@pytest.mark.skipif(
  not pathlib.Path(idx.FASHION_MNIST_DIR).is_dir(),
  reason="Debian's package dataset-fashion-mnist is not installed",
)
def test_the_real_files():
  arrays = idx.read_fashion_mnist(pathlib.Path(idx.FASHION_MNIST_DIR))
  images, labels = arrays['train']
  assert images.shape == (60000, 28, 28)
  assert np.bincount(labels).tolist() == [6000] * 10
  assert np.bincount(arrays['test'][1]).tolist() == [1000] * 10
  # The published mean of the training pixels, as a fraction of 255.
  assert round(images.mean() / 255, 4) == 0.2860


def test_a_file_that_decompresses_without_end_is_refused(tmp_path, monkeypatch):
  fabricated.write_fashion_mnist(tmp_path)
  monkeypatch.setattr(inflation, 'FLOOR', 1000)
  (tmp_path / TRAIN_IMAGES).unlink(missing_ok=True)
  (tmp_path / f'{TRAIN_IMAGES}.gz').write_bytes(gzip.compress(bytes(10**6)))
  with pytest.raises(DataError, match=rf'{TRAIN_IMAGES}\.gz: .* out of all proportion'):
    idx.read_fashion_mnist(tmp_path)
