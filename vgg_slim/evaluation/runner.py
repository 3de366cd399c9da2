"""Scores checkpoints on a converted split: densely or by crops, at one or more scales."""

import functools
import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np

from vgg_slim import sessions
from vgg_slim.checkpoints import search
from vgg_slim.compat import tf
from vgg_slim.configs.config import NetConfig, PreprocessingConfig
from vgg_slim.data import manifest as manifests
from vgg_slim.data import records
from vgg_slim.data.input import pipeline
from vgg_slim.data.manifest import Manifest
from vgg_slim.evaluation import class_map, metrics, results, score_maps, views
from vgg_slim.evaluation.eval_config import EvalConfig
from vgg_slim.finite import check_finite
from vgg_slim.nets import registry
from vgg_slim.nets.mode import Inference
from vgg_slim.nets.outputs import NetOutputs
from vgg_slim.ops import cached_weights

_Opened = TypeVar('_Opened', bound='Evaluator')
Progress = Callable[[int, int], None]


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


class _View(NamedTuple):
  """Input of one view, and the scores of a batch, float32 [N, K]."""

  name: str
  batch: pipeline.Batch
  scores: tf.Tensor


class Evaluator:
  """An evaluation graph and its session, for any number of checkpoints of one network.

  Use it as a context manager. All views and scales share one set of variables; the test scale is a
  placeholder.

  Attributes:
    classes: mapping from the classes of the data set to those of the network.
  """

  def __init__(
    self, trained: Trained, data_dir: str, manifest: Manifest, config: EvalConfig
  ) -> None:
    """Builds the graph.

    Args:
      trained: network, preprocessing and class names.
      data_dir: folder of the converted data set.
      manifest: manifest of the data set.
      config: settings of the evaluation.

    Raises:
      ConfigError: there is no test scale, or one is too small for the network.
      DataError: the network lacks a class of the data set, or the split does not exist.
    """
    self.classes = class_map.map_classes(
      trained.class_names, trained.net.num_classes, manifest.class_names, data_dir
    )
    views.check_test_scales(config.test_scales, trained.net.image_size)
    self._trained, self._config = trained, config
    split = manifest.split(config.split)
    self._num_images = split.num_examples
    self._max_waiting = pipeline.waiting_limit(split.num_examples, split.num_bytes)
    self._paths = manifests.shard_paths(data_dir, manifest, config.split)
    with tf.Graph().as_default() as graph:
      self._test_scale = tf.placeholder(tf.int32, [], 'test_scale')
      self._views = [self._build_view(name) for name in views.all_parts(config.views)]
      self._variables = tf.global_variables()
      self._savers: dict[tuple[str, ...], tf.train.Saver] = {}
    self._session = sessions.open_session(graph)

  def __enter__(self: _Opened) -> _Opened:
    return self

  def __exit__(self, *exception: object) -> None:
    self._session.close()

  def score(self, checkpoint: str, progress: Progress | None = None) -> results.ScoredCheckpoint:
    """Scores every image of the split once in each crop of each view at each scale.

    Args:
      checkpoint: prefix of the checkpoint.
      progress: function called with (number of crops scored, total number of crops).

    Raises:
      CheckpointError: the checkpoint cannot be read or does not fit the network.
      DataError: the shards do not match the manifest.
      NonFiniteError: the scores of an image are not finite.
    """
    step = _step(checkpoint)  # first: training may remove the checkpoint at any time
    self._restore(checkpoint)
    scales = self._config.test_scales
    total = self._num_images * len(scales) * sum(views.num_crops(v.name) for v in self._views)
    done, passes = 0, {}
    for view in self._views:
      for scale in scales:
        table = metrics.ScoreTable(self._num_images, self._trained.net.num_classes)
        started = time.monotonic()
        for indices, scores, labels in self._batches(view, scale):
          check_finite(scores, checkpoint, functools.partial(self._image_name, indices))
          table.add(indices, scores, self.classes.to_network(labels))
          done += len(indices)
          if progress:
            progress(done, total)
        average = table.average(views.num_crops(view.name)).astype(np.float32)
        passes[view.name, scale] = results.Pass(average, time.monotonic() - started)
    return results.ScoredCheckpoint(
      model=self._trained.net.model,
      train_scale=_scale_text(self._trained.preprocessing),
      checkpoint=checkpoint,
      step=step,
      config=self._config,
      labels=table.labels,
      passes=passes,
    )

  def _restore(self, checkpoint: str) -> None:
    if self._config.use_averages:
      variables = search.inference_names(checkpoint, self._variables)
    else:
      variables = search.stored_names(self._variables)
      search.check_fits(checkpoint, variables)
    stored = tuple(variables)
    with self._session.graph.as_default():
      if stored not in self._savers:
        self._savers[stored] = tf.train.Saver(variables)
      search.restore(self._savers[stored], self._session, checkpoint)
    cached_weights.fill(self._session)

  def _image_name(self, indices: np.ndarray, row: int) -> str:
    index = int(indices[row])
    name, _ = next(itertools.islice(records.read_examples(self._paths), index, None))
    return name or f'number {index}'

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
    return _View(name, batch, build_scores(self._build_network, batch.images, self._config.flip))

  def _build_network(self, images: tf.Tensor) -> NetOutputs:
    with tf.variable_scope(tf.get_variable_scope(), reuse=tf.AUTO_REUSE):
      mode = Inference.fast(pool_rounding=self._config.pool_rounding)
      return registry.build_from_config(self._trained.net, images, mode)

  def _batches(
    self, view: _View, test_scale: int
  ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    self._session.run(view.batch.initializer, {self._test_scale: test_scale})
    while True:
      try:
        yield self._session.run([view.batch.indices, view.scores, view.batch.labels])
      except tf.errors.OutOfRangeError:
        return
      except (tf.errors.DataLossError, tf.errors.InvalidArgumentError) as error:
        raise pipeline.reading_error(error, self._paths) from error


def _step(checkpoint: str) -> int | None:
  stored = search.shapes(checkpoint)
  return search.global_step(checkpoint) if 'global_step' in stored else None


def _scale_text(preprocessing: PreprocessingConfig) -> str:
  smallest, largest = preprocessing.train_scale_min, preprocessing.train_scale_max
  return f'{smallest}' if smallest == largest else f'[{smallest};{largest}]'
