import dataclasses

import numpy as np
import pytest

from tests.features.bottleneck_test import CONTRACT, save_random
from tests.testing import make_data_set
from vgg_slim.checkpoints import search
from vgg_slim.checkpoints.contract import load_contract
from vgg_slim.compat import tf
from vgg_slim.data import manifest as manifests
from vgg_slim.data import records
from vgg_slim.errors import ConfigError
from vgg_slim.evaluation.image_predictor import View
from vgg_slim.evaluation.predictor import CheckpointPredictor
from vgg_slim.features import bottleneck, cache, combine
from vgg_slim.features.head import run_head_training
from vgg_slim.features.head_config import HeadConfig
from vgg_slim.nets import specs


@pytest.fixture(scope='module')
def features(tmp_path_factory):
  """(trunk checkpoint, key, features, encoded images) of 40 px images of two classes."""
  folder = tmp_path_factory.mktemp('combine')
  data_dir, manifest = make_data_set(folder / 'data', 6, 2, side=40)
  trunk = save_random(str(folder / 'trunk'), CONTRACT)
  key = bottleneck.make_key(trunk, CONTRACT, manifest, image_size=64, test_scale=70)
  path = folder / 'train.npz'
  bottleneck.run_extraction(key, trunk, data_dir, manifest, 'train', path, 5)
  with tf.Graph().as_default(), tf.Session() as session:
    serialized = tf.placeholder(tf.string, [])
    encoded = records.parse_example(serialized).encoded
    images = [
      session.run(encoded, {serialized: record})
      for shard in manifests.shard_paths(data_dir, manifest, 'train')
      for record in tf.io.tf_record_iterator(shard)
    ]
  return trunk, key, cache.read_features(path), images


def head_by_hand(weights, features, average):
  """Class probabilities of a head with one hidden layer, in NumPy."""
  net = features.mean((1, 2), keepdims=True) if average else features
  hidden = np.maximum(np.tensordot(net, weights['fc6/weights'], 3) + weights['fc6/biases'], 0)
  scores = hidden.reshape(len(net), -1) @ weights['fc8/weights'][0, 0] + weights['fc8/biases']
  if scores.shape[1] == 1:
    scores = np.concatenate([np.zeros_like(scores), scores], axis=1)
  exps = np.exp(scores - scores.max(1, keepdims=True))
  return exps / exps.sum(1, keepdims=True)


@pytest.mark.parametrize(
  ('head', 'activation'), [('fc256', 'sigmoid'), ('fc256', 'softmax'), ('average_fc256', 'softmax')]
)
def test_the_combined_checkpoint_gives_the_probabilities_of_the_head_on_features(
  features, tmp_path, head, activation
):
  trunk, key, data, images = features
  config = HeadConfig(head, activation, epochs=1, learning_rate=1e-2)
  trained = run_head_training(config, key, data)
  prefix = str(tmp_path / 'whole')
  made = combine.make_contract(key, config, CONTRACT)
  combine.write_combined_checkpoint(prefix, trunk, trained.weights, trained.steps, made)
  loaded_prefix, contract = load_contract(prefix)
  assert loaded_prefix == prefix
  assert search.global_step(prefix) == trained.steps
  with CheckpointPredictor(prefix, contract, View(central_crop=True)) as predictor:
    got = predictor.probabilities([predictor.prepare(image) for image in images])
  scope = specs.get(key.trunk.model).scope
  weights = {name.removeprefix(f'{scope}/'): value for name, value in trained.weights.items()}
  expected = head_by_hand(weights, data.features, head.startswith('average'))
  assert np.ptp(expected[:, 0]) > 1e-3  # ten times the tolerance
  # Other batch sizes and NumPy sum float32 values in another order, through ten layers.
  np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize('flips', [True, False])
def test_a_network_is_mirrored_as_its_trunk_was(features, flips):
  _, key, _, _ = features
  trunk = dataclasses.replace(CONTRACT, random_flip=flips)
  assert combine.make_contract(key, HeadConfig('linear'), trunk).random_flip == flips
  augmented = dataclasses.replace(key, passes=2)
  assert combine.make_contract(augmented, HeadConfig('linear'), trunk).random_flip


def test_an_existing_checkpoint_is_not_overwritten(features, tmp_path):
  trunk, key, data, _ = features
  (tmp_path / 'whole.index').touch()
  config = HeadConfig('linear', epochs=1)
  trained = run_head_training(config, key, data)
  with pytest.raises(ConfigError, match=r'whole.index exists; give another --output'):
    combine.write_combined_checkpoint(
      str(tmp_path / 'whole'),
      trunk,
      trained.weights,
      trained.steps,
      combine.make_contract(key, config, CONTRACT),
    )
