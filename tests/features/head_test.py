import dataclasses

import numpy as np
import pytest
from sklearn import metrics
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from vgg_slim.configs.net import Network
from vgg_slim.data import class_weights
from vgg_slim.errors import ConfigError, TrainingError
from vgg_slim.features import standardization
from vgg_slim.features.cache import FeatureKey, FeatureSet
from vgg_slim.features.head import (
  _shuffled_batches,
  choose_recipe,
  describe,
  run_head_training,
)
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
LINEAR = HeadConfig('linear', optimizer='momentum', learning_rate=0.5, batch_size=64, epochs=2)


def train(config, key=KEY, data=TRAIN, validation=None):
  return run_head_training(config, key, data, validation)


def test_two_steps_match_hand_arithmetic():
  """W and b start at 0; the gradient of W is mean(x (p - y)) + decay * W; x is standardized."""
  trained = train(dataclasses.replace(LINEAR, weight_decay=0.5))
  raw = TRAIN.features.reshape(64, 12).astype(np.float64)
  variance = raw.var(0)
  damped = variance + variance.mean()
  scale = 1 / np.sqrt(damped * (variance / damped).sum())
  x = (raw - raw.mean(0)) * scale
  w, b = np.zeros([12, 2]), np.zeros(2)
  velocities = [0, 0]
  for step, rate in enumerate((0.5, 0.25)):  # half a cosine over two steps
    scores = x @ w + b
    p = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    loss = -np.log(p[np.arange(64), TRAIN.labels]).mean()
    assert trained.history[step].train_loss == pytest.approx(loss, rel=1e-5)
    assert trained.history[step].train_accuracy == np.mean(scores.argmax(1) == TRAIN.labels)
    assert trained.history[step].step == trained.history[step].epoch == step + 1
    error = (p - np.eye(2)[TRAIN.labels]) / 64
    gradients = x.T @ error + 0.5 * w, error.sum(0)
    velocities = [0.9 * v + g for v, g in zip(velocities, gradients, strict=True)]
    w, b = (value - rate * v for value, v in zip((w, b), velocities, strict=True))
  assert trained.history[0].train_loss == pytest.approx(np.log(2), rel=1e-6)
  got = trained.weights[f'{SCOPE}/fc8/weights'].reshape(12, 2)
  # float32 sums of 64 products.
  np.testing.assert_allclose(got, w * scale[:, None], atol=1e-6)
  bias = b - (w * scale[:, None] * raw.mean(0)[:, None]).sum(0)
  np.testing.assert_allclose(trained.weights[f'{SCOPE}/fc8/biases'], bias, atol=1e-6)
  assert (trained.steps, trained.history[0].validation_loss, trained.best) == (2, None, None)


def test_the_unit_of_the_features_does_not_matter():
  moved = TRAIN._replace(features=TRAIN.features * 1000 + 300)
  losses = [
    [epoch.train_loss for epoch in train(HeadConfig('fc256', epochs=3), data=data).history]
    for data in (TRAIN, moved)
  ]
  # float32 rounding of features near 300 with a deviation of 1000.
  np.testing.assert_allclose(losses[1], losses[0], rtol=1e-3)
  assert losses[0][2] < losses[0][0]


def test_the_best_epoch_is_kept_and_training_ends_after_the_patience():
  config = HeadConfig('linear', 'softmax', epochs=50, early_stop_patience=3, early_stop_min_delta=1)
  trained = train(config, validation=VALIDATION)
  assert len(trained.history) == 4
  assert trained.stop_reason.startswith('3 epochs without improvement on accuracy ')
  accuracies = [epoch.validation_accuracy for epoch in trained.history]
  best = max(trained.history, key=lambda e: (e.validation_accuracy, -e.validation_loss))
  assert (trained.best.epoch, trained.best.step) == (best.epoch, best.step)
  assert trained.best.text.startswith(f'accuracy {max(accuracies):.2%}, loss ')
  weights = [trained.best.weights[f'{SCOPE}/fc8/{name}'] for name in ('weights', 'biases')]
  scores = np.tensordot(VALIDATION.features, weights[0], 3) + weights[1]
  assert max(accuracies) == np.mean(scores.argmax(1) == VALIDATION.labels)


def test_the_metrics_of_equal_classes_are_those_of_scikit_learn():
  rows = np.r_[np.flatnonzero(VALIDATION.labels == 0), np.flatnonzero(VALIDATION.labels)[:20]]
  few = FeatureSet(*(column[rows] for column in VALIDATION))
  trained = train(dataclasses.replace(LINEAR, best_metric='macro_f1'), validation=few)
  weights = [trained.weights[f'{SCOPE}/fc8/{name}'] for name in ('weights', 'biases')]
  answers = (np.tensordot(few.features, weights[0], 3) + weights[1]).argmax(1)
  last = trained.history[-1]
  assert last.validation_balanced_accuracy == pytest.approx(
    metrics.balanced_accuracy_score(few.labels, answers)
  )
  f1 = metrics.f1_score(few.labels, answers, average='macro')
  assert last.validation_macro_f1 == pytest.approx(f1)
  best = max(epoch.validation_macro_f1 for epoch in trained.history)
  assert trained.best.text.startswith(f'macro_f1 {best:.4f}, loss ')


@pytest.mark.parametrize('units', [64, 5000])
def test_a_linear_head_is_as_good_as_logistic_regression(units):
  """Digits, as they are and as the outputs of a random layer with ReLU, with the defaults."""
  digits = load_digits()
  x = digits.data.astype(np.float32)
  if units > 64:
    x = np.maximum(x @ np.random.default_rng(0).normal(size=[64, units]).astype(np.float32), 0)
  labels, names = digits.target.astype(np.int32), np.array([''] * len(x))
  train_data, validation = (
    FeatureSet(x[rows, None, None], labels[rows], names[rows])
    for rows in (slice(300), slice(300, None))
  )
  trunk = dataclasses.replace(TRUNK, image_size=32)  # whose last map has one cell
  key = dataclasses.replace(KEY, trunk=trunk, class_names=tuple('0123456789'))
  scaler = StandardScaler().fit(x[:300])
  peer = LogisticRegression(C=0.1, max_iter=1000).fit(scaler.transform(x[:300]), labels[:300])
  accuracy = peer.score(scaler.transform(x[300:]), labels[300:])
  trained = train(HeadConfig('linear'), key, train_data, validation)
  assert trained.history[-1].validation_accuracy > accuracy - 0.01


def test_what_is_chosen_is_described():
  def described(config):
    return describe(config, choose_recipe(config, KEY, TRAIN), KEY, TRAIN)

  text = described(HeadConfig('average', learning_rate=3.0, epochs=2))
  assert text.startswith(
    'Head average on 3 features of 64 images of 2 classes: momentum, learning rate 3 falling to 0, '
  )
  assert text.endswith(', 2 epochs of 2 steps of 32 images.')
  assert 'on 12 features' in described(HeadConfig('fc256', weight_decay=0.25))
  assert 'weight decay 0.25' in described(HeadConfig('fc256', weight_decay=0.25))


@pytest.mark.parametrize('activation', ['softmax', 'sigmoid'])
@pytest.mark.parametrize('head', ['fc256', 'average', 'cifar'])
def test_heads_learn_and_validation_scores_match_their_weights(head, activation):
  config = HeadConfig(head, activation, learning_rate=0.01, batch_size=16, epochs=25)
  trained = train(config, validation=VALIDATION)
  last = trained.history[-1]
  assert last.validation_accuracy > 0.9
  assert trained.steps == 25 * 4
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
  one, two, other = (
    [epoch.train_loss for epoch in train(dataclasses.replace(config, seed=seed)).history]
    for seed in (3, 3, 4)
  )
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


def test_class_weights_are_those_of_scikit_learn():
  """Gradient descent on the weighted loss comes to the minimum that scikit-learn finds."""
  common = FeatureSet(*(column[TRAIN.labels == 0] for column in TRAIN))
  rare = FeatureSet(*(column[TRAIN.labels == 1][:4] for column in TRAIN))
  data = FeatureSet(*map(np.concatenate, zip(common, rare, strict=True)))
  measured = standardization.measure(data.features, averages=False)
  inputs = standardization.standardize(data.features, measured)
  # One column of weights instead of two halves the penalty of the same decision.
  peer = LogisticRegression(
    C=2 / (0.01 * len(inputs)), class_weight='balanced', max_iter=1000, tol=1e-8
  ).fit(inputs, data.labels)
  expected = peer.predict_proba(inputs)

  def probabilities(weights):
    config = dataclasses.replace(
      LINEAR, class_weights=weights, weight_decay=0.01, epochs=400, learning_rate=5.0
    )
    trained = train(config, data=data)
    kernel, biases = (trained.weights[f'{SCOPE}/fc8/{name}'] for name in ('weights', 'biases'))
    scores = np.exp(np.tensordot(data.features, kernel.reshape(2, 2, 3, 2), 3) + biases)
    return scores / scores.sum(1, keepdims=True)

  balanced = class_weights.balance(np.bincount(data.labels).tolist())
  # The measured differences are 2e-5 and 0.13.
  assert np.abs(probabilities(balanced) - expected).max() < 1e-3
  assert np.abs(probabilities(()) - expected).max() > 0.05


def test_balanced_batches_have_every_class_equally_often():
  labels = np.array([0] * 27 + [2] * 3 + [3])
  config = dataclasses.replace(LINEAR, batch_size=6, balanced_batches=True)
  epochs = [np.concatenate(list(_shuffled_batches(labels, config, epoch))) for epoch in (1, 2)]
  for rows in epochs:
    assert len(rows) == 31
    assert (np.sort(labels[rows[:30]].reshape(10, 3)) == [0, 2, 3]).all()
    common = rows[labels[rows] == 0]
    assert len(set(common)) == len(common)
  assert list(epochs[0]) != list(epochs[1])
  assert list(np.concatenate(list(_shuffled_batches(labels, config, 2)))) == list(epochs[1])


def test_class_weights_and_balanced_batches_are_not_combined():
  with pytest.raises(ConfigError, match='choose one'):
    HeadConfig(class_weights=(1.0, 2.0), balanced_batches=True)
