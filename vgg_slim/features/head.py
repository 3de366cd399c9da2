"""Trains a head on extracted features, which takes seconds instead of hours."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from vgg_slim import sessions
from vgg_slim.compat import slim, tf
from vgg_slim.configs.net import NetConfig
from vgg_slim.errors import ConfigError, TrainingError
from vgg_slim.features.cache import FeatureKey, FeatureSet
from vgg_slim.features.head_config import HeadConfig
from vgg_slim.nets import specs
from vgg_slim.nets.arg_scopes import net_arg_scope
from vgg_slim.nets.heads import build_head
from vgg_slim.nets.mode import Inference, Mode, Training
from vgg_slim.nets.outputs import as_two_classes
from vgg_slim.ops import weight_decay

# Defaults of Keras where TensorFlow 1 differs: the tutorials of this method use Keras.
OPTIMIZERS: dict[str, Callable[[float], tf.train.Optimizer]] = {
  'rmsprop': lambda rate: tf.train.RMSPropOptimizer(rate, decay=0.9, epsilon=1e-7),
  'momentum': lambda rate: tf.train.MomentumOptimizer(rate, momentum=0.9),
  'adam': lambda rate: tf.train.AdamOptimizer(rate, epsilon=1e-7),
}
_SCORING_BATCH_SIZE = 512


class EpochScores(NamedTuple):
  """Loss and accuracy of one epoch.

  Attributes:
    epoch: number of the epoch, from 1.
    train_loss: mean cross-entropy of the training batches, with dropout.
    train_accuracy: accuracy on the training batches, with dropout.
    validation_loss: mean cross-entropy on the validation split; None if there is none.
    validation_accuracy: accuracy on the validation split; None if there is none.
  """

  epoch: int
  train_loss: float
  train_accuracy: float
  validation_loss: float | None
  validation_accuracy: float | None


class TrainedHead(NamedTuple):
  """Result of training a head.

  Attributes:
    weights: arrays by variable name, including the scope of the network.
    steps: number of training steps.
    history: scores of each epoch.
  """

  weights: dict[str, np.ndarray]
  steps: int
  history: list[EpochScores]


def check_features_fit_head(key: FeatureKey) -> None:
  """Raises ConfigError unless the features are the input of the network's heads."""
  last = specs.get(key.trunk.model).trunk_layers()[-1].name
  if key.layer not in (last, last.partition('/')[0]):
    raise ConfigError(
      f'These are features of {key.layer}, but a head of {key.trunk.model} takes those of {last}: '
      f'extract them with tools/extract_features --layer={last}.'
    )


def run_head_training(
  config: HeadConfig,
  key: FeatureKey,
  train: FeatureSet,
  validation: FeatureSet | None = None,
  report: Callable[[EpochScores], None] | None = None,
) -> TrainedHead:
  """Trains the head of a network on features in memory.

  Args:
    config: head and training settings.
    key: key of the features.
    train: features to train on.
    validation: features to score after every epoch.
    report: function called with the scores after every epoch.

  Raises:
    ConfigError: there is no such head, or the features are not the input of the network's heads.
    TrainingError: the loss is not finite.
  """
  check_features_fit_head(key)
  with tf.Graph().as_default(), sessions.open_session() as session:
    tf.set_random_seed(config.seed)
    graph = _Graph(config, key, train.features.shape[1:])
    session.run(tf.global_variables_initializer())
    history = []
    for epoch in range(1, config.epochs + 1):
      scores = [
        (len(rows), *session.run([graph.train_op, graph.hits], graph.feed(train, rows)))
        for rows in _shuffled_batches(len(train.labels), config.batch_size, (config.seed, epoch))
      ]
      train_loss, train_accuracy = _mean(scores)
      _check_loss('training', train_loss, epoch)
      validation_scores: tuple[float, float] | tuple[None, None] = (None, None)
      if validation:
        validation_loss, validation_accuracy = graph.score(session, validation)
        _check_loss('validation', validation_loss, epoch)
        validation_scores = validation_loss, validation_accuracy
      history.append(EpochScores(epoch, train_loss, train_accuracy, *validation_scores))
      if report:
        report(history[-1])
    weights, steps = session.run([graph.weights, graph.step])
  return TrainedHead(weights, int(steps), history)


def _check_loss(split: str, loss: float, epoch: int) -> None:
  if not np.isfinite(loss):
    raise TrainingError(f'The {split} loss is {loss} in epoch {epoch}. Lower --learning_rate.')


class _Graph:
  """Placeholders, and a training and a scoring tower that share variables."""

  def __init__(self, config: HeadConfig, key: FeatureKey, shape: tuple[int, int, int]) -> None:
    self._features = tf.placeholder(tf.float32, [None, *shape], 'features')
    self._labels = tf.placeholder(tf.int32, [None], 'labels')
    self.step = tf.train.get_or_create_global_step()
    seed = tf.stack([tf.constant(config.seed, tf.int64), self.step])
    mode = Training(dropout_seed=seed, weight_decay=config.weight_decay)
    net = config.complete(key.trunk, len(key.class_names))
    loss, self.hits = self._build_tower(net, mode)
    total = loss + tf.losses.get_regularization_loss()
    self.weights = {v.op.name: v for v in slim.get_model_variables()}
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
      update = OPTIMIZERS[config.optimizer](config.learning_rate).minimize(total, self.step)
    with tf.control_dependencies([update]):
      self.train_op = tf.identity(loss)
    self._scores = self._build_tower(net, Inference())

  def feed(self, data: FeatureSet, rows: np.ndarray | slice) -> dict[tf.Tensor, np.ndarray]:
    return {self._features: data.features[rows], self._labels: data.labels[rows]}

  def score(self, session: tf.Session, data: FeatureSet) -> tuple[float, float]:
    """Mean cross-entropy and accuracy."""
    starts = range(0, len(data.labels), _SCORING_BATCH_SIZE)
    chunks = [slice(start, start + _SCORING_BATCH_SIZE) for start in starts]
    return _mean(
      [
        (len(data.labels[rows]), *session.run(self._scores, self.feed(data, rows)))
        for rows in chunks
      ]
    )

  def _build_tower(self, net: NetConfig, mode: Mode) -> tuple[tf.Tensor, tf.Tensor]:
    """Builds mean cross-entropy and accuracy of a batch."""
    spec = specs.get(net.model)
    arg_scope = net_arg_scope(mode, net.initializer, spec.batch_norm, spec.conv_biases)
    reuse = isinstance(mode, Inference)
    with tf.variable_scope(spec.scope, reuse=reuse), slim.arg_scope(arg_scope):
      outputs = build_head(
        self._features,
        {},
        spec,
        net.num_logits,
        net.image_size,
        net.fc_units,
        net.dropout_keep_prob,
        net.head or spec.head,
      )
      if isinstance(mode, Training):
        weight_decay.add_losses(mode.weight_decay, mode.weight_decay_on)
    logits = (as_two_classes(outputs) if net.is_sigmoid else outputs).logits
    loss = tf.reduce_mean(
      tf.nn.sparse_softmax_cross_entropy_with_logits(labels=self._labels, logits=logits)
    )
    hits = tf.equal(tf.argmax(logits, 1, output_type=tf.int32), self._labels)
    return loss, tf.reduce_mean(tf.cast(hits, tf.float32))


def _shuffled_batches(
  num_rows: int, batch_size: int, seed: tuple[int, int]
) -> Iterator[np.ndarray]:
  order = np.random.default_rng(seed).permutation(num_rows)
  for start in range(0, num_rows, batch_size):
    yield order[start : start + batch_size]


def _mean(scores: list[tuple[int, float, float]]) -> tuple[float, float]:
  """Means of loss and accuracy over (number of rows, loss, accuracy), weighted by rows."""
  rows, losses, accuracies = np.array(scores, np.float64).T
  return float(losses @ rows / rows.sum()), float(accuracies @ rows / rows.sum())
