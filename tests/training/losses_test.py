import numpy as np
import pytest

from tests.testing import graph_session
from vgg_slim.compat import tf
from vgg_slim.training import losses


def test_losses_by_hand():
  logits, labels = [[0.0, 0.0], [np.log(3.0), 0.0]], [1, 0]
  with graph_session() as session:
    tf.add_to_collection(tf.GraphKeys.REGULARIZATION_LOSSES, tf.constant(0.25))
    got = session.run(losses.build_losses(tf.constant(logits, tf.float32), tf.constant(labels)))
  cross_entropy = (np.log(2) - np.log(3 / 4)) / 2
  assert got.cross_entropy == pytest.approx(cross_entropy)
  assert got.regularization == 0.25


def test_accuracy_is_the_fraction_of_correct_largest_logits():
  with graph_session() as session:
    logits = tf.constant([[1.0, 0], [0, 1], [0, 1], [1, 0]])
    assert session.run(losses.build_accuracy(logits, tf.constant([0, 1, 0, 0]))) == 0.75


def test_label_smoothing_by_hand():
  with graph_session() as session:
    logits = tf.constant([[np.log(2.0), 0.0, 0.0]], tf.float32)  # probabilities 1/2, 1/4, 1/4
    got = session.run(losses.build_losses(logits, tf.constant([0]), label_smoothing=0.3))
  assert got.cross_entropy == pytest.approx(-(0.8 * np.log(0.5) + 0.2 * np.log(0.25)))


def test_labels_of_mixed_images_by_hand():
  with graph_session() as session:
    logits = tf.constant([[np.log(2.0), 0.0, 0.0]], tf.float32)  # probabilities 1/2, 1/4, 1/4
    labels = tf.constant([[0.6, 0.0, 0.4]])
    got = session.run(losses.build_losses(logits, labels))
    hits = session.run(losses.build_accuracy(logits, labels))
  assert got.cross_entropy == pytest.approx(-(0.6 * np.log(0.5) + 0.4 * np.log(0.25)))
  assert hits == 1


WEIGHTS = (0.25, 1.0, 4.0)
LOGITS = np.random.default_rng(0).normal(size=[6, 3]).astype(np.float32)
LABELS = np.array([0, 0, 0, 1, 2, 0], np.int32)


def weighted(logits, labels, **settings):
  """Cross-entropy and its gradient with respect to the logits."""
  with graph_session() as session:
    inputs = tf.constant(logits)
    loss = losses.build_losses(inputs, tf.constant(labels), **settings).cross_entropy
    return session.run([loss, tf.gradients(loss, inputs)[0]])


@pytest.mark.parametrize('smoothing', [0.0, 0.1])
def test_class_weights_are_those_of_keras(smoothing):
  """Keras's own weighted mean of a batch, through `fit`'s `class_weight`."""
  keras = pytest.importorskip('keras')
  model = keras.Sequential([keras.layers.Input([3]), keras.layers.Dense(3, use_bias=False)])
  model.layers[-1].set_weights([np.eye(3)])
  model.compile('sgd', keras.losses.CategoricalCrossentropy(True, smoothing))
  targets = np.eye(3)[LABELS]
  history = model.fit(
    LOGITS, targets, 6, class_weight=dict(enumerate(WEIGHTS)), shuffle=False, verbose=0
  )
  loss, _ = weighted(LOGITS, LABELS, label_smoothing=smoothing, class_weights=WEIGHTS)
  assert loss == pytest.approx(history.history['loss'][0], rel=1e-5)


@pytest.mark.parametrize('smoothing', [0.0, 0.1])
def test_gradients_of_weighted_losses_match_differences(smoothing):
  """Hard labels, and mixed ones, in which each label counts with its own weight."""
  mixed = (0.7 * np.eye(3)[LABELS] + 0.3 * np.eye(3)[LABELS[::-1]]).astype(np.float32)
  for labels in (LABELS, mixed):
    settings = {'label_smoothing': smoothing, 'class_weights': WEIGHTS}
    loss, gradient = weighted(LOGITS, labels, **settings)
    targets = labels if labels.ndim == 2 else np.eye(3)[labels]

    def by_hand(logits, targets=targets):
      log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
      smoothed = -(1 - smoothing) * log_p - smoothing * log_p.mean(1, keepdims=True)
      return (targets * WEIGHTS * smoothed).sum() / len(logits)

    logits = LOGITS.astype(np.float64)
    assert loss == pytest.approx(by_hand(logits), rel=1e-6)
    for row, column in np.ndindex(*logits.shape):
      step = np.zeros_like(logits)
      step[row, column] = 1e-5
      slope = (by_hand(logits + step) - by_hand(logits - step)) / 2e-5
      assert gradient[row, column] == pytest.approx(slope, abs=1e-6)


def test_an_image_of_a_class_of_weight_0_counts_nothing():
  for labels in (LABELS, np.eye(3, dtype=np.float32)[LABELS]):
    loss, gradient = weighted(LOGITS, labels, class_weights=(0.0, 1.0, 1.0))
    assert np.isfinite(loss)
    assert not gradient[LABELS == 0].any()
    assert gradient[LABELS > 0].all()


def test_parts_of_a_batch_have_the_mean_of_the_whole():
  """Also where they hold different classes, as micro-batches and replicas do."""
  whole, _ = weighted(LOGITS, LABELS, class_weights=WEIGHTS)
  parts = [
    weighted(LOGITS[rows], LABELS[rows], class_weights=WEIGHTS)[0]
    for rows in (slice(3), slice(3, 6))
  ]
  assert np.mean(parts) == pytest.approx(whole, rel=1e-6)
