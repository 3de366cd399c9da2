"""Readers of the files that this project writes into a train_dir, a data set and other folders."""

import pathlib

import numpy as np

from tests import testing
from tests.fuzzing import containers, damage
from tests.fuzzing.execution import Reader
from vgg_slim.checkpoints import contract, prefixes
from vgg_slim.configs import config
from vgg_slim.data import labels, manifest
from vgg_slim.features import cache
from vgg_slim.training import history


def make_readers(folder: pathlib.Path) -> dict[str, Reader]:
  """Writes an honest file for every reader into `folder`; returns the readers by name."""
  data_dir = str(folder / 'data')
  _, described = testing.make_data_set(folder / 'data', per_class=4)
  settings = testing.train_config(data_dir, described)
  config.write_train_config(str(folder), settings)
  contract_path, features_path = folder / 'contract.json', folder / 'train.npz'
  made = testing.make_contract('vgg_a@4', 2, 32, source=None)
  contract.write_contract(contract_path, made)
  key = cache.FeatureKey('ab', made.network, 'pool5', made.preprocessing, 'f1', ('a', 'b'))
  cache.open_folder(folder, key)
  values = cache.FeatureSet(
    np.ones([2, 1, 1, 3], np.float32), np.zeros([2], np.int32), np.array(['a', 'b'])
  )
  cache.write_features(features_path, values.features.shape, [values])
  row = history.EpochMetrics(10, 1.0, 0.5, 0.9, 0.6, None, 0.01, 100.0)
  history.MetricsFile(str(folder), 0).add(row)
  prefixes.write_state(str(folder), ['model.ckpt-1', 'model.ckpt-2'])
  labels_path = folder / labels.LABELS_FILE
  labels.write_labels(labels_path, ('cat', 'dog', 'cow'))

  def read_labels() -> None:
    labels.check_class_names(labels.read_labels(labels_path))

  in_npz = damage.either(damage.of_bytes, containers.in_zip(damage.of_bytes))
  return {
    'manifest': Reader(
      folder / 'data' / manifest.MANIFEST_FILE,
      lambda: manifest.read_manifest(data_dir),
      damage.of_json,
    ),
    'contract': Reader(
      contract_path, lambda: contract.read_contract(contract_path), damage.of_json
    ),
    'config': Reader(
      folder / config.CONFIG_FILE, lambda: config.read_train_config(str(folder)), damage.of_json
    ),
    'features.json': Reader(
      folder / cache.KEY_FILE, lambda: cache.read_key(folder), damage.of_json
    ),
    'features': Reader(features_path, lambda: cache.read_features(features_path), in_npz),
    'metrics': Reader(folder / history.METRICS_FILE, lambda: history.read_history(str(folder))),
    'checkpoint': Reader(folder / prefixes.STATE_FILE, lambda: prefixes.kept(str(folder))),
    'labels.txt': Reader(labels_path, read_labels),
    'class list': Reader(labels_path, lambda: labels.read_class_list(labels_path)),
  }
