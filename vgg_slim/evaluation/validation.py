"""The validation of a training run: its numbers, and where it goes wrong."""

import io
from collections.abc import Sequence

import numpy as np
import PIL.Image

from vgg_slim import tensorboard
from vgg_slim.compat import tf
from vgg_slim.evaluation import class_scores, outputs, results
from vgg_slim.evaluation.class_map import ClassMap
from vgg_slim.evaluation.eval_config import EvalConfig
from vgg_slim.evaluation.results import EvalResult, Line
from vgg_slim.evaluation.runner import Evaluator

_ERRORS = 9  # three by three
_TILE_SIDE = 160  # pixels; a cell of the grid


class Validator:
  """Scores checkpoint after checkpoint and remembers the last one, for its pictures."""

  def __init__(
    self,
    evaluator: Evaluator,
    config: EvalConfig,
    classes: ClassMap,
    shards: Sequence[str],
  ) -> None:
    """Runs nothing yet.

    Args:
      evaluator: of the run's network.
      config: of the evaluator; its first view counts.
      classes: of the network, and which of them the data set has.
      shards: of the split, in order.
    """
    self._evaluator, self._view = evaluator, config.views[0]
    self._classes, self._shards = classes, shards
    self._line: Line | None = None

  def run(self, checkpoint: str) -> EvalResult:
    """Errors as `Evaluator.score`."""
    self._line = results.combine([self._evaluator.score(checkpoint)], self._view)
    return self._line.result

  def summarize(self) -> tf.Summary:
    """`summarize` of the last `run`."""
    return summarize(self._line, self._classes, self._shards)

  def add_events(self, writer: tf.summary.FileWriter) -> None:
    """`add_events` of the last `run`."""
    add_events(writer, self._line, self._classes, self._shards)


def summarize(line: Line, classes: ClassMap, shards: Sequence[str]) -> tf.Summary:
  """Pictures for TensorBoard: 'confusion', and 'most_confident_errors' if there are any.

  Args:
    line: of an evaluation.
    classes: of the network, and which of them the data set has.
    shards: of its split, in order.

  Raises:
    DataError: a shard cannot be read.
  """
  from vgg_slim.plotting import confusion, samples  # matplotlib: half a second

  counts = class_scores.confusion_matrix(line.labels, line.predicted, classes)
  figure = confusion.draw_confusion(counts, classes.data_names)
  values = [tensorboard.picture('confusion', figure)]
  probabilities = line.probabilities()
  wrong = class_scores.most_confident_errors(probabilities, line.labels, _ERRORS)
  if wrong.size:
    tiles = [_tile(encoded) for _, encoded in outputs.read_pictures(shards, wrong)]
    captions = [
      f'{classes.names[line.labels[i]]}, taken for\n'
      f'{classes.names[line.predicted[i]]} ({probabilities[i, line.predicted[i]]:.0%})'
      for i in wrong
    ]
    values.append(
      tensorboard.picture('most_confident_errors', samples.draw_samples(tiles, captions))
    )
  return tf.Summary(value=values)


def write_events(folder: str, line: Line, classes: ClassMap, shards: Sequence[str]) -> None:
  """Writes a new event file with `add_events` of a line to `folder`."""
  with tensorboard.open_events(folder) as writer:
    add_events(writer, line, classes, shards)


def add_events(
  writer: tf.summary.FileWriter, line: Line, classes: ClassMap, shards: Sequence[str]
) -> None:
  """Writes accuracy, loss and `summarize` of a line, so that TensorBoard shows them at once."""
  scalars = {'accuracy': line.result.top_1_accuracy, 'loss': line.result.loss}
  summary = summarize(line, classes, shards)
  for one in (tensorboard.scalars(scalars), summary):
    writer.add_summary(one, line.result.step or 0)
  writer.flush()


def _tile(encoded: bytes) -> np.ndarray:
  """uint8 [H, W, 3], RGB, no side longer than a tile's."""
  image = PIL.Image.open(io.BytesIO(encoded)).convert('RGB')
  image.thumbnail((_TILE_SIDE, _TILE_SIDE))
  return np.asarray(image)
