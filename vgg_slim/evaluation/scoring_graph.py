"""The graph of an evaluation in one precision: its views, their input, and its session."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from vgg_slim import sessions
from vgg_slim.checkpoints import search
from vgg_slim.compat import tf
from vgg_slim.configs.config import NetConfig, PreprocessingConfig
from vgg_slim.configs.runtime import RuntimeConfig
from vgg_slim.data.input import pipeline
from vgg_slim.evaluation import score_maps, views
from vgg_slim.evaluation.eval_config import EvalConfig
from vgg_slim.nets import registry
from vgg_slim.nets.mode import Inference
from vgg_slim.nets.outputs import NetOutputs
from vgg_slim.ops import cached_weights


class Trained(Protocol):
  """Description of a trained network that an evaluation needs; `TrainConfig` implements it.

  Attributes:
    class_names: class names in the order of the labels; None if they are unknown.
    test_scale: smaller side Q of test images that matches the training scale, in pixels.
  """

  @property
  def net(self) -> NetConfig: ...
  @property
  def preprocessing(self) -> PreprocessingConfig: ...
  @property
  def class_names(self) -> tuple[str, ...] | None: ...
  @property
  def test_scale(self) -> int: ...


class Scores(NamedTuple):
  """Scores of a batch of crops, or of whole images.

  Attributes:
    indices: index of each image in the split, int [N].
    scores: probabilities or logits, float32 [N, K].
    labels: labels of the data set, int [N].
  """

  indices: np.ndarray
  scores: np.ndarray
  labels: np.ndarray


class _View(NamedTuple):
  """Input of one view, and the scores of a batch, float32 [N, K]."""

  batch: pipeline.Batch
  scores: tf.Tensor


class ScoringGraph:
  """All views of an evaluation in one precision, for any number of checkpoints.

  All views and scales share one set of variables; the test scale is a placeholder.

  Attributes:
    precision: precision of its sessions.
    graph: the graph.
    variables: variables of the network.
  """

  def __init__(
    self,
    trained: Trained,
    config: EvalConfig,
    precision: str,
    paths: Sequence[str],
    max_waiting: int,
  ) -> None:
    """Builds the graph; the session is opened by the first `restore`.

    Args:
      trained: network, preprocessing and class names.
      config: settings of the evaluation, whose own precision is not used.
      precision: precision of the session, see `sessions.session_config`.
      paths: paths of the shards of the split, in order.
      max_waiting: see `pipeline.waiting_limit`.
    """
    self._trained, self._config, self.precision = trained, config, precision
    self._paths, self._max_waiting = paths, max_waiting
    self._savers: dict[tuple[str, ...], tf.train.Saver] = {}
    self._session: Any = None
    with tf.Graph().as_default() as self.graph:
      self._test_scale = tf.placeholder(tf.int32, [], 'test_scale')
      self._views = {name: self._build_view(name) for name in views.all_parts(config.views)}
      self.variables = tf.global_variables()

  def restore(self, checkpoint: str) -> None:
    """Restores the weights of a checkpoint.

    Raises:
      CheckpointError: the checkpoint cannot be read or does not fit the network.
    """
    if self._config.use_averages:
      variables = search.inference_names(checkpoint, self.variables)
    else:
      variables = search.stored_names(self.variables)
      search.check_fits(checkpoint, variables)
    stored = tuple(variables)
    if self._session is None:
      self._session = sessions.open_session(self.graph, RuntimeConfig(self.precision))
    with self.graph.as_default():
      if stored not in self._savers:
        self._savers[stored] = tf.train.Saver(variables)
      search.restore(self._savers[stored], self._session, checkpoint)
    cached_weights.fill(self._session)

  def batches(self, view: str, test_scale: int) -> Iterator[Scores]:
    """Yields the scores of all crops of a view, in an order that does not depend on the precision.

    Args:
      view: one of the views of the config, without `+`.
      test_scale: smaller side Q of the resized images, in pixels.

    Raises:
      DataError: a shard cannot be read, or an image cannot be scored.
    """
    session, built = self._session, self._views[view]
    session.run(built.batch.initializer, {self._test_scale: test_scale})
    while True:
      try:
        fetched = [built.batch.indices, built.scores, built.batch.labels]
        yield Scores(*session.run(fetched))
      except tf.errors.OutOfRangeError:
        return
      except (tf.errors.DataLossError, tf.errors.InvalidArgumentError) as error:
        raise pipeline.reading_error(error, self._paths) from error

  def close(self) -> None:
    """Closes the session, which frees its weights; `restore` opens another."""
    if self._session is not None:
      self._session.close()
      self._session = None

  def _build_view(self, name: str) -> _View:
    positions, side = views.VIEWS[name], self._trained.net.image_size
    crops: dict[str, Any] = {
      'max_pixels': self._config.batch_size * side**2,
      'max_waiting': self._max_waiting,
      'smallest_scale': side,
    }
    if positions is not None:
      crops = {'crop_size': side, 'crop_positions': positions}
    with tf.name_scope(name):
      batch = pipeline.build_eval_batch(
        self._paths, self._trained.preprocessing, self._test_scale, self._config.batch_size, **crops
      )
    build_scores = {
      'probabilities': score_maps.build_probabilities,
      'logits': score_maps.build_logits,
    }[self._config.average]
    return _View(batch, build_scores(self._build_network, batch.images, self._config.flip))

  def _build_network(self, images: tf.Tensor) -> NetOutputs:
    with tf.variable_scope(tf.get_variable_scope(), reuse=tf.AUTO_REUSE):
      mode = Inference.fast(self.precision, self._config.pool_rounding)
      return registry.build_from_config(self._trained.net, images, mode)
