"""Dense evaluation of checkpoints over a converted split."""

import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from vgg_slim.compat import tf
from vgg_slim.config import TrainConfig
from vgg_slim.data import manifest as manifests
from vgg_slim.data import pipeline
from vgg_slim.data.manifest import Manifest
from vgg_slim.errors import DataError
from vgg_slim.evaluation import metrics, score_maps, views
from vgg_slim.nets import registry
from vgg_slim.nets.outputs import NetOutputs
from vgg_slim.weights import checkpoints

Progress = Callable[[int, int], None]


@dataclasses.dataclass(frozen=True)
class EvalResult(metrics.Scores):
  """Scores and what they are of.

  Attributes:
    images_per_second: pictures over wall seconds of all views, input included.
    test_scales: smaller sides Q, in pixels.
    flip: whether the mirror image was averaged in.
    split: name of the split.
    checkpoint: prefix of the checkpoint.
    step: its global step.
  """

  images_per_second: float
  test_scales: tuple[int, ...]
  flip: bool
  split: str
  checkpoint: str
  step: int

  @property
  def top_1_accuracy(self) -> float:
    return 1 - self.top_1_error


class Evaluator:
  """An evaluation graph and its session, for any number of checkpoints of one run.

  Use it as a context manager. The whole uncropped picture is rescaled to each Q in turn and its
  class score map averaged; with `crop_size`, the central crop is scored instead.
  """

  def __init__(
    self,
    config: TrainConfig,
    data_dir: str,
    manifest: Manifest,
    split: str,
    test_scales: Sequence[int],
    flip: bool,
    batch_size: int,
    crop_size: int | None = None,
    use_averages: bool = True,
  ) -> None:
    """Builds the graph.

    Args:
      config: of the training run; network and preprocessing are used.
      data_dir: folder of the converted data set.
      manifest: its manifest.
      split: name of the split.
      test_scales: smaller sides Q, in pixels.
      flip: whether the mirror image is averaged in.
      batch_size: at most so many pictures at once.
      crop_size: side of the central crop, or None for the whole picture.
      use_averages: whether the moving averages take the place of the variables where the run has
        them.

    Raises:
      ConfigError: a scale too small for the network, or none.
      DataError: other classes than those of training, or no such split.
    """
    check_same_classes(config, manifest, data_dir)
    views.check_test_scales(test_scales, config.net.image_size)
    self._test_scales, self._flip, self._split = tuple(test_scales), flip, split
    self._num_images = manifest.split(split).num_examples
    self._num_classes = config.net.num_classes
    paths = manifests.shard_paths(data_dir, manifest, split)
    with tf.Graph().as_default() as graph:
      self._views = []
      for scale in test_scales:
        with tf.name_scope(f'input_{scale}'):
          batch = pipeline.build_eval_batch(
            paths, config.preprocessing, scale, batch_size, crop_size
          )
        self._views.append((batch, self._build_probabilities(config, batch.images)))
      averages = use_averages and config.optimizer.moving_average_decay is not None
      self._variables = checkpoints.stored_names(tf.global_variables(), averages)
      self._saver = tf.train.Saver(self._variables)
    self._session = tf.Session(graph=graph)

  def __enter__(self) -> 'Evaluator':
    return self

  def __exit__(self, *exception: object) -> None:
    self._session.close()

  def run(self, checkpoint: str, progress: Progress | None = None) -> EvalResult:
    """Scores every picture of the split once in each view.

    Args:
      checkpoint: prefix of a checkpoint.
      progress: called with (views of pictures done, in all).

    Raises:
      CheckpointError: it cannot be read or is of another network.
      DataError: the shards do not hold what the manifest says.
    """
    checkpoints.check_fits(checkpoint, self._variables)
    with self._session.graph.as_default():
      self._saver.restore(self._session, checkpoint)
    table = metrics.ProbabilityTable(self._num_images, self._num_classes)
    started = time.monotonic()
    done, total = 0, self._num_images * len(self._views)
    for batch, probabilities in self._views:
      for indices, scores, labels in self._batches(batch, probabilities):
        table.add(indices, scores, labels)
        done += len(indices)
        if progress:
          progress(done, total)
    scores = table.scores(num_views=len(self._views))
    return EvalResult(
      **dataclasses.asdict(scores),
      images_per_second=self._num_images / (time.monotonic() - started),
      test_scales=self._test_scales,
      flip=self._flip,
      split=self._split,
      checkpoint=checkpoint,
      step=checkpoints.global_step(checkpoint),
    )

  def _build_probabilities(self, config: TrainConfig, images: tf.Tensor) -> tf.Tensor:
    def build_network(views: tf.Tensor) -> NetOutputs:
      with tf.variable_scope(tf.get_variable_scope(), reuse=tf.AUTO_REUSE):
        return registry.build_from_config(config.net, views, is_training=False)

    return score_maps.build_probabilities(build_network, images, self._flip)

  def _batches(
    self, batch: pipeline.Batch, probabilities: tf.Tensor
  ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    self._session.run(batch.initializer)
    while True:
      try:
        yield self._session.run([batch.indices, probabilities, batch.labels])
      except tf.errors.OutOfRangeError:
        return
      except (tf.errors.DataLossError, tf.errors.InvalidArgumentError) as error:
        raise DataError(f'A record cannot be read: {error.message.splitlines()[0]}') from error


def check_same_classes(config: TrainConfig, manifest: Manifest, data_dir: str) -> None:
  """Raises DataError where the data set's classes are not those the network was trained on."""
  if manifest.class_names != config.class_names:
    raise DataError(
      f'{data_dir} has {manifest.num_classes} classes ({_first(manifest.class_names)}), the '
      f'network was trained on {len(config.class_names)} ({_first(config.class_names)}).'
    )


def _first(names: tuple[str, ...]) -> str:
  return ', '.join(names[:4]) + (', ...' if len(names) > 4 else '')
