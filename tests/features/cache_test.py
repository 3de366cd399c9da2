import dataclasses
import json
import re

import numpy as np
import pytest

from vgg_slim.configs.net import Network
from vgg_slim.errors import ConfigError, DataError
from vgg_slim.features import cache
from vgg_slim.features.cache import FeatureKey, FeatureSet
from vgg_slim.preprocessing.description import Preprocessing

TRUNK, PIXELS = Network(None, 'vgg16', image_size=64), Preprocessing((1, 2, 3), 1.0, 64)
KEY = FeatureKey('ab', TRUNK, 'pool5', PIXELS, 'f1', ('a', 'b'))


def batches(sizes=(3, 2)):
  rng = np.random.default_rng(0)
  for n in sizes:
    names = np.array([f'cat/{i}é.jpg'[: 7 + i] for i in range(n)])
    yield FeatureSet(
      rng.normal(size=[n, 2, 2, 4]).astype(np.float32), np.arange(n, dtype=np.int32), names
    )


def test_features_can_be_read_back(tmp_path):
  path = cache.features_path(tmp_path, 'train')
  cache.write_features(path, [5, 2, 2, 4], batches())
  got = cache.read_features(path)
  for array, parts in zip(got, zip(*batches(), strict=True), strict=True):
    assert np.array_equal(array, np.concatenate(parts))
  assert got.features.dtype == np.float32
  assert [file.name for file in tmp_path.iterdir()] == ['train.npz']


def test_a_wrong_number_of_rows_writes_no_file(tmp_path):
  with pytest.raises(DataError, match=r'train.npz: expected 6 images, got 5'):
    cache.write_features(tmp_path / 'train.npz', [6, 2, 2, 4], batches())
  assert not list(tmp_path.iterdir())


def test_a_folder_holds_features_of_one_key(tmp_path):
  folder = tmp_path / 'features'
  cache.open_folder(folder, KEY)
  cache.open_folder(folder, KEY)
  assert cache.read_key(folder) == KEY
  other = dataclasses.replace(KEY, layer='conv5/conv5_3', passes=3)
  with pytest.raises(
    ConfigError, match="layer 'pool5', now 'conv5/conv5_3'; passes 1, now 3. Give another --output"
  ):
    cache.open_folder(folder, other)


def test_features_in_another_precision_are_refused(tmp_path):
  """Folders of earlier versions do not say a precision: it was float32."""
  folder = tmp_path / 'features'
  cache.open_folder(folder, KEY)
  values = json.loads((folder / cache.KEY_FILE).read_text())
  assert values.pop('precision') == 'float32'
  (folder / cache.KEY_FILE).write_text(json.dumps(values))
  cache.open_folder(folder, KEY)
  other = dataclasses.replace(KEY, precision='bfloat16')
  with pytest.raises(ConfigError, match="other features: precision 'float32', now 'bfloat16'"):
    cache.open_folder(folder, other)


def test_missing_or_damaged_features_are_refused(tmp_path):
  with pytest.raises(DataError, match=r'holds no features: features.json: No such file'):
    cache.read_key(tmp_path)
  (tmp_path / cache.KEY_FILE).write_text('{"model": 1}')
  with pytest.raises(DataError, match='missing .*weights_sha256'):
    cache.read_key(tmp_path)
  path = tmp_path / 'train.npz'
  path.write_bytes(b'PK')
  with pytest.raises(DataError, match=re.escape(f'{path} cannot be read as features')):
    cache.read_features(path)


@pytest.mark.parametrize(
  'changed',
  [
    {'features': np.ones([2, 1, 1, 3])},
    {'features': np.ones([2, 3], np.float32)},
    {'labels': np.zeros([3], np.int32)},
    {'labels': np.zeros([2], np.float32)},
    {'labels': np.array([0, -1], np.int32)},
    {'names': np.array(['a'])},
    {'names': np.array([b'a', b'b'])},
  ],
  ids=str,
)
def test_arrays_that_do_not_belong_together_are_refused(tmp_path, changed):
  path = tmp_path / 'train.npz'
  honest = {
    'features': np.ones([2, 1, 1, 3], np.float32),
    'labels': np.zeros([2], np.int32),
    'names': np.array(['a', 'b']),
  }
  np.savez(path, **honest)
  assert cache.read_features(path).names.tolist() == ['a', 'b']
  np.savez(path, **{**honest, **changed})
  with pytest.raises(DataError, match=r'train\.npz cannot be read as features'):
    cache.read_features(path)
