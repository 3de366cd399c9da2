import dataclasses

import numpy as np
import pytest

from vgg_slim.configs.net import Network
from vgg_slim.errors import ConfigError, TrainingError
from vgg_slim.features.cache import FeatureKey, FeatureSet
from vgg_slim.features.head import run_head_training
from vgg_slim.features.head_config import HeadConfig
from vgg_slim.nets import specs
from vgg_slim.preprocessing.description import Preprocessing

TRUNK, PIXELS = Network(None, 'vgg_a@4', image_size=64), Preprocessing((0, 0, 0), 1.0, 64)
KEY = FeatureKey('ab', TRUNK, 'pool5', PIXELS, 'f1', ('a', 'b'))

SCOPE = specs.get(KEY.trunk.model).scope


def two_clouds(n, seed):
  """Features [n, 2, 2, 3] of two classes, whose sums have opposite signs on average."""
  rng = np.random.default_rng(seed)
  labels = rng.integers(0, 2, n).astype(np.int32)
  features = rng.normal(size=[n, 2, 2, 3]) + (labels * 2.0 - 1)[:, None, None, None]
  return FeatureSet(features.astype(np.float32), labels, np.array([''] * n))


TRAIN, VALIDATION = two_clouds(64, 0), two_clouds(600, 1)
LINEAR = HeadConfig('linear', optimizer='momentum', learning_rate=0.1, batch_size=64, epochs=1)


def train(config, key=KEY, data=TRAIN, validation=None):
  return run_head_training(config, key, data, validation)


def test_one_step_matches_hand_arithmetic():
  """The first momentum step is gradient descent: W -= rate * (mean(x (p - y)) + decay * W)."""
  config = dataclasses.replace(LINEAR, weight_decay=0.5)
  start = train(dataclasses.replace(config, learning_rate=1e-30)).weights
  after = train(config)
  w, b = (start[f'{SCOPE}/fc8/{kind}'] for kind in ('weights', 'biases'))
  x = TRAIN.features.reshape(64, 12)
  scores = x @ w.reshape(12, 2) + b
  p = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
  error = p - np.eye(2)[TRAIN.labels]
  expected = w.reshape(12, 2) - 0.1 * (x.T @ error / 64 + 0.5 * w.reshape(12, 2))
  got = after.weights[f'{SCOPE}/fc8/weights'].reshape(12, 2)
  # float32 sums of 64 products.
  np.testing.assert_allclose(got, expected, atol=1e-6)
  loss = -np.log(p[np.arange(64), TRAIN.labels]).mean()
  assert after.history[0].train_loss == pytest.approx(loss, rel=1e-5)
  assert after.history[0].train_accuracy == np.mean(scores.argmax(1) == TRAIN.labels)
  assert (after.steps, after.history[0].validation_loss) == (1, None)


@pytest.mark.parametrize('activation', ['softmax', 'sigmoid'])
@pytest.mark.parametrize('head', ['fc256', 'average', 'cifar'])
def test_heads_learn_and_validation_scores_match_their_weights(head, activation):
  config = HeadConfig(head, activation, learning_rate=0.1, batch_size=16, epochs=8)
  trained = train(config, validation=VALIDATION)
  last = trained.history[-1]
  assert last.validation_accuracy > 0.9
  assert trained.steps == 8 * 4
  if head == 'fc256':
    layers = [trained.weights[f'{SCOPE}/{fc}/weights'] for fc in ('fc6', 'fc8')]
    hidden = np.maximum(
      np.tensordot(VALIDATION.features, layers[0], 3) + trained.weights[f'{SCOPE}/fc6/biases'], 0
    )
    scores = hidden @ layers[1][0, 0] + trained.weights[f'{SCOPE}/fc8/biases']
    if activation == 'sigmoid':
      scores = np.concatenate([0 * scores, scores], axis=1)
    losses = np.log(np.exp(scores).sum(1)) - scores[np.arange(600), VALIDATION.labels]
    # 600 rows are scored in two unequal batches; float32 against NumPy.
    assert last.validation_loss == pytest.approx(losses.mean(), rel=1e-4)
    assert last.validation_accuracy == np.mean(scores.argmax(1) == VALIDATION.labels)


@pytest.mark.parametrize('optimizer', ['rmsprop', 'adam'])
def test_the_seed_determines_the_head(optimizer):
  config = HeadConfig('fc256', optimizer=optimizer, epochs=2)
  one, two, other = (train(dataclasses.replace(config, seed=s)).history for s in (3, 3, 4))
  assert one == two != other


@pytest.mark.parametrize(
  ('layer', 'config', 'error', 'message'),
  [
    ('conv5/conv5_2', LINEAR, ConfigError, 'conv5/conv5_2, but .* takes those of pool5'),
    ('pool5', dataclasses.replace(LINEAR, learning_rate=1e38, epochs=3), TrainingError, 'Lower'),
  ],
)
def test_heads_that_cannot_be_trained_are_refused(layer, config, error, message):
  with pytest.raises(error, match=message):
    train(config, dataclasses.replace(KEY, layer=layer))
