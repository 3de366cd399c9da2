"""Trains a head on extracted features, which takes seconds instead of hours."""

import math
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from vgg_slim import sessions
from vgg_slim.compat import slim, tf
from vgg_slim.configs.optimizer import OptimizerConfig
from vgg_slim.data.class_weights import balance
from vgg_slim.errors import ConfigError, TrainingError
from vgg_slim.evaluation import class_counts
from vgg_slim.features import regularization, standardization
from vgg_slim.features.cache import FeatureKey, FeatureSet
from vgg_slim.features.head_config import HeadConfig, Recipe
from vgg_slim.nets import specs
from vgg_slim.nets.arg_scopes import net_arg_scope
from vgg_slim.nets.heads import build_head
from vgg_slim.nets.mode import Inference, Mode, Training
from vgg_slim.nets.outputs import as_two_classes
from vgg_slim.ops import weight_decay
from vgg_slim.training import optimizers
from vgg_slim.training.history import EpochMetrics
from vgg_slim.training.hooks.base import ValidationScores
from vgg_slim.training.hooks.patience import Patience
from vgg_slim.wording import counted

_EPSILON = 1e-7  # Keras's, for the optimizers that have one
_SCORING_BATCH_SIZE = 512

Weights = dict[str, np.ndarray]


class BestEpoch(NamedTuple):
  """The head after the best epoch.

  Attributes:
    weights: arrays by variable name, including the scope of the network.
    epoch: its number, counted from 1.
    step: number of training steps up to the end of the epoch.
    text: scores of its validation, such as 'accuracy 93.21%, loss 0.2210'.
  """

  weights: Weights
  epoch: int
  step: int
  text: str


class TrainedHead(NamedTuple):
  """Result of training a head.

  Attributes:
    weights: arrays after the last epoch by variable name, including the scope of the network.
    steps: number of training steps.
    history: metrics of each epoch.
    validation: scores of the last epoch; None if there is no validation split.
    best: the best epoch; None if there is no validation split.
    stop_reason: reason why training ended early; None if it did not.
  """

  weights: Weights
  steps: int
  history: list[EpochMetrics]
  validation: ValidationScores | None
  best: BestEpoch | None
  stop_reason: str | None


class _Tower(NamedTuple):
  """Cross-entropy, float32 [N], and most probable class, int32 [N], of each row of a batch."""

  losses: tf.Tensor
  answers: tf.Tensor


def check_features_fit_head(key: FeatureKey) -> None:
  """Raises ConfigError unless the features are the input of the network's heads."""
  last = specs.get(key.trunk.model).trunk_layers()[-1].name
  if key.layer not in (last, last.partition('/')[0]):
    raise ConfigError(
      f'These are features of {key.layer}, but a head of {key.trunk.model} takes those of {last}: '
      f'extract them with tools/extract_features --layer={last}.'
    )


def choose_recipe(config: HeadConfig, key: FeatureKey, train: FeatureSet) -> Recipe:
  """Returns the settings that are given, and those that suit the head and the features.

  Raises:
    ConfigError: the features are not the input of the network's heads.
  """
  check_features_fit_head(key)

  def choose_weight_decay() -> float:
    averages = specs.get(key.trunk.model).averages(config.head)
    measured = standardization.measure(train.features, averages)
    counts = np.bincount(train.labels, minlength=len(key.class_names)).tolist()
    weights = balance(counts) if config.balanced_batches else config.class_weights
    return regularization.choose_weight_decay(
      train.features,
      train.labels,
      measured,
      config.seed,
      weights,
      config.best_metric,
    )

  return config.choose_recipe(len(train.labels), choose_weight_decay)


def describe(config: HeadConfig, recipe: Recipe, key: FeatureKey, train: FeatureSet) -> str:
  """Returns a line with the settings of a training."""
  averages = specs.get(key.trunk.model).averages(config.head)
  num_features = math.prod(train.features.shape[-1 if averages else 1 :])
  num_examples = len(train.labels)
  steps = _steps_per_epoch(config, num_examples)
  return (
    f'Head {config.head} on {num_features:,} features of {num_examples:,} images of '
    f'{len(key.class_names)} classes: {recipe.optimizer}, learning rate '
    f'{recipe.learning_rate:g} falling to 0, weight decay {recipe.weight_decay:.2g}, '
    f'{counted(recipe.epochs, "epoch")} of {counted(steps, "step")} of '
    f'{counted(config.batch_size, "image")}.'
  )


def run_head_training(
  config: HeadConfig,
  key: FeatureKey,
  train: FeatureSet,
  validation: FeatureSet | None = None,
  report: Callable[[EpochMetrics], None] | None = None,
  recipe: Recipe | None = None,
) -> TrainedHead:
  """Trains the head of a network on features in memory.

  Args:
    config: head and training settings.
    key: key of the features.
    train: features to train on.
    validation: features to score after every epoch.
    report: function called with the metrics after every epoch.
    recipe: what `choose_recipe` returns, if it was called before.

  Raises:
    ConfigError: the features are not the input of the network's heads.
    TrainingError: the loss is not finite.
  """
  recipe = recipe or choose_recipe(config, key, train)
  with tf.Graph().as_default(), sessions.open_session() as session:
    tf.set_random_seed(config.seed)
    training = _Training(session, config, recipe, key, train)
    best = Patience('best', config.best_metric)
    early_stop = Patience('early_stop', config.best_metric, config.early_stop_min_delta)
    session.run(tf.global_variables_initializer())
    training.zero_scores()
    history: list[EpochMetrics] = []
    best_epoch = stop_reason = None
    for epoch in range(1, recipe.epochs + 1):
      metrics, scores = training.run_epoch(epoch, validation)
      history.append(metrics)
      if report:
        report(metrics)
      if scores and best.record_epoch(scores, metrics.step):
        best_epoch = BestEpoch(training.fetch_weights(), epoch, metrics.step, best.scores)
      if scores:
        early_stop.record_epoch(scores, metrics.step)
        stop_reason = early_stop.stop_reason(config.early_stop_patience)
      if stop_reason:
        break
    weights = training.fetch_weights()
  return TrainedHead(weights, history[-1].step, history, scores, best_epoch, stop_reason)


def _check_loss(split: str, loss: float, epoch: int) -> None:
  if not np.isfinite(loss):
    raise TrainingError(f'The {split} loss is {loss} in epoch {epoch}. Lower --learning_rate.')


class _Training:
  """Placeholders, and a training and a scoring tower that share variables."""

  def __init__(
    self,
    session: tf.Session,
    config: HeadConfig,
    recipe: Recipe,
    key: FeatureKey,
    train: FeatureSet,
  ) -> None:
    self._session, self._config, self._train = session, config, train
    self._net = config.complete(key.trunk, len(key.class_names))
    self._spec = specs.get(self._net.model)
    self._standardization = standardization.measure(
      train.features, self._spec.averages(config.head)
    )
    self._features = tf.placeholder(tf.float32, [None, *train.features.shape[1:]], 'features')
    self._labels = tf.placeholder(tf.int32, [None], 'labels')
    self._step = tf.train.get_or_create_global_step()
    seed = tf.stack([tf.constant(config.seed, tf.int64), self._step])
    mode = Training(dropout_seed=seed, weight_decay=recipe.weight_decay)
    tower = self._build_tower(mode)
    loss = tf.reduce_mean(self._weigh(tower.losses))
    accuracy = tf.reduce_mean(tf.cast(tf.equal(tower.answers, self._labels), tf.float32))
    self._update = self._build_update(recipe, loss + tf.losses.get_regularization_loss())
    with tf.control_dependencies([self._update]):
      self._results = tf.identity(loss), tf.identity(accuracy)
    self._scoring = self._build_tower(Inference())
    self._weights = {variable.op.name: variable for variable in slim.get_model_variables()}

  def _weigh(self, row_losses: tf.Tensor) -> tf.Tensor:
    """Multiplies the loss of each row by the weight of its class, as `losses.build_losses`."""
    weights = self._config.class_weights
    return row_losses * tf.gather(tf.constant(weights), self._labels) if weights else row_losses

  def zero_scores(self) -> None:
    """Sets the weights of the class scores to 0, so that no class is preferred at the start."""
    kernel = self._weights[f'{self._spec.head_scopes(self._config.head)[-1]}/weights']
    kernel.load(np.zeros(kernel.shape, np.float32), self._session)

  def run_epoch(
    self, epoch: int, validation: FeatureSet | None
  ) -> tuple[EpochMetrics, ValidationScores | None]:
    """Trains for an epoch, and scores the validation split."""
    config, began = self._config, time.monotonic()
    batches = _shuffled_batches(self._train.labels, config, epoch)
    loss, accuracy = _means(
      [
        (len(rows), *self._session.run(self._results, self._feed(self._train, rows)))
        for rows in batches
      ]
    )
    speed = len(self._train.labels) / max(time.monotonic() - began, 1e-9)
    _check_loss('training', loss, epoch)
    scores = self._score(validation) if validation else None
    if scores:
      _check_loss('validation', scores.loss, epoch)
    step, rate = self._session.run([self._step, self._rate])
    metrics = EpochMetrics(
      step=int(step),
      epoch=epoch,
      train_loss=loss,
      train_accuracy=accuracy,
      validation_loss=scores and scores.loss,
      validation_accuracy=scores and scores.top_1_accuracy,
      learning_rate=float(rate),
      images_per_second=speed,
      validation_balanced_accuracy=scores and scores.balanced_accuracy,
      validation_macro_f1=scores and scores.macro_f1,
    )
    return metrics, scores

  def fetch_weights(self) -> Weights:
    """Returns the weights of the head that takes features which are not standardized."""
    weights = self._session.run(self._weights)
    return standardization.fold(weights, self._spec, self._config.head, self._standardization)

  def _build_update(self, recipe: Recipe, loss: tf.Tensor) -> tf.Operation:
    steps = recipe.epochs * _steps_per_epoch(self._config, len(self._train.labels))
    self._rate = tf.train.cosine_decay(recipe.learning_rate, self._step, steps)
    settings = OptimizerConfig(optimizer=recipe.optimizer, opt_epsilon=_EPSILON)
    optimizer = optimizers.build_optimizer(settings, self._rate, [])
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
      return optimizer.minimize(loss, self._step)

  def _feed(self, data: FeatureSet, rows: np.ndarray | slice) -> dict[tf.Tensor, np.ndarray]:
    return {self._features: data.features[rows], self._labels: data.labels[rows]}

  def _score(self, data: FeatureSet) -> ValidationScores:
    starts = range(0, len(data.labels), _SCORING_BATCH_SIZE)
    chunks = [slice(start, start + _SCORING_BATCH_SIZE) for start in starts]
    parts = [self._session.run(self._scoring, self._feed(data, rows)) for rows in chunks]
    losses, answers = map(np.concatenate, zip(*parts, strict=True))
    counts = class_counts.count_classes(data.labels, answers, self._net.num_classes)
    return ValidationScores(
      loss=float(losses.mean(dtype=np.float64)),
      top_1_accuracy=float(np.mean(answers == data.labels)),
      balanced_accuracy=counts.balanced_accuracy(),
      macro_f1=counts.macro_f1(),
      only_answer=counts.only_answer(),
    )

  def _build_tower(self, mode: Mode) -> _Tower:
    net, spec = self._net, self._spec
    mean, scale = self._standardization
    arg_scope = net_arg_scope(mode, net.initializer, spec.batch_norm, spec.conv_biases)
    reuse = isinstance(mode, Inference)
    with tf.variable_scope(spec.scope, reuse=reuse), slim.arg_scope(arg_scope):
      outputs = build_head(
        (self._features - mean) * scale,
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
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=self._labels, logits=logits)
    return _Tower(losses, tf.argmax(logits, 1, output_type=tf.int32))


def _shuffled_batches(labels: np.ndarray, config: HeadConfig, epoch: int) -> Iterator[np.ndarray]:
  generator = np.random.default_rng((config.seed, epoch))
  order = (
    _balanced_order(labels, generator)
    if config.balanced_batches
    else generator.permutation(len(labels))
  )
  for start in range(0, len(labels), config.batch_size):
    yield order[start : start + config.batch_size]


def _balanced_order(labels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
  """As many rows as there are labels, in blocks that have every class once."""
  classes = np.unique(labels)
  num_blocks = math.ceil(len(labels) / len(classes))
  columns = []
  for label in classes:
    rows = np.flatnonzero(labels == label)
    passes = [generator.permutation(rows) for _ in range(math.ceil(num_blocks / len(rows)))]
    columns.append(np.concatenate(passes)[:num_blocks])
  blocks = generator.permuted(np.stack(columns, axis=1), axis=1)
  return blocks.ravel()[: len(labels)]


def _steps_per_epoch(config: HeadConfig, num_examples: int) -> int:
  return math.ceil(num_examples / config.batch_size)


def _means(scores: list[tuple[int, float, float]]) -> tuple[float, float]:
  """Means over (number of rows, loss, accuracy), weighted by the number of rows."""
  rows, losses, accuracies = np.array(scores, np.float64).T
  return float(losses @ rows / rows.sum()), float(accuracies @ rows / rows.sum())
