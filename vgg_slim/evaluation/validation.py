"""Validation of a training run: accuracy and loss, and figures of its errors."""

import io
from collections.abc import Sequence

import numpy as np
import PIL.Image

from vgg_slim import tensorboard
from vgg_slim.compat import tf
from vgg_slim.evaluation import class_scores, outputs, results
from vgg_slim.evaluation.class_map import ClassMap
from vgg_slim.evaluation.eval_config import EvalConfig
from vgg_slim.evaluation.precision_proof import Proof
from vgg_slim.evaluation.results import EvalResult, Line
from vgg_slim.evaluation.runner import Evaluator, Progress

_NUM_ERRORS = 9  # a grid of three by three
_TILE_SIDE = 160  # pixels


class Validator:
  """Scores one checkpoint after another, and keeps the last result for its figures.

  Attributes:
    proof: why the last checkpoint was scored in its precision; None where nothing had to be proven.
  """

  def __init__(
    self,
    evaluator: Evaluator,
    config: EvalConfig,
    classes: ClassMap,
    shards: Sequence[str],
  ) -> None:
    """Creates a validator.

    Args:
      evaluator: evaluator of the network.
      config: settings of the evaluator; its first view is reported.
      classes: mapping from the classes of the data set to those of the network.
      shards: paths of the shards of the split, in order.
    """
    self._evaluator, self._view = evaluator, config.views[0]
    self._classes, self._shards = classes, shards
    self._line: Line  # of the last `run`
    self.proof: Proof | None = None

  def run(self, checkpoint: str, progress: Progress | None = None) -> EvalResult:
    """Scores a checkpoint; arguments and errors are those of `Evaluator.score`."""
    scored = self._evaluator.score(checkpoint, progress)
    self._line, self.proof = results.combine([scored], self._view), scored.proof
    return self._line.result

  def summarize(self) -> tf.Summary:
    """Calls `summarize` for the last `run`."""
    return summarize(self._line, self._classes, self._shards)

  def add_events(self, writer: tf.summary.FileWriter) -> None:
    """Calls `add_events` for the last `run`."""
    add_events(writer, self._line, self._classes, self._shards)


def summarize(line: Line, classes: ClassMap, shards: Sequence[str]) -> tf.Summary:
  """Builds TensorBoard images: 'confusion', and 'most_confident_errors' if there are any.

  There is no 'confusion' of more than `confusion.MAX_CLASSES` classes.

  Args:
    line: result of an evaluation.
    classes: mapping from the classes of the data set to those of the network.
    shards: paths of the shards of its split, in order.

  Raises:
    DataError: a shard cannot be read.
  """
  from vgg_slim.plotting import confusion, samples  # imports matplotlib: half a second

  values: list[tf.Summary.Value] = []
  if len(classes.labels) <= confusion.MAX_CLASSES:
    counts = class_scores.confusion_matrix(line.labels, line.predicted, classes)
    figure = confusion.draw_confusion(counts, classes.data_names)
    values.append(tensorboard.figure_value('confusion', figure))
  probabilities = line.probabilities()
  wrong = class_scores.most_confident_errors(probabilities, line.labels, _NUM_ERRORS)
  if wrong.size:
    tiles = [_tile(encoded) for _, encoded in outputs.read_images(shards, wrong.tolist())]
    captions = [
      f'{classes.names[line.labels[i]]},\npredicted {probabilities[i, line.predicted[i]]:.0%} as\n'
      f'{classes.names[line.predicted[i]]}'
      for i in wrong
    ]
    values.append(
      tensorboard.figure_value('most_confident_errors', samples.draw_samples(tiles, captions))
    )
  return tf.Summary(value=values)


def write_events(folder: str, line: Line, classes: ClassMap, shards: Sequence[str]) -> None:
  """Writes a new event file to `folder`; see `add_events` and `summarize`."""
  with tensorboard.open_events(folder) as writer:
    add_events(writer, line, classes, shards)


def add_events(
  writer: tf.summary.FileWriter, line: Line, classes: ClassMap, shards: Sequence[str]
) -> None:
  """Writes accuracy, loss and `summarize` of a line, and flushes the writer."""
  result = line.result
  scalars = {
    'accuracy': result.top_1_accuracy,
    'balanced_accuracy': result.balanced_accuracy,
    'macro_f1': result.macro_f1,
    'loss': result.loss,
  }
  summary = summarize(line, classes, shards)
  for value in (tensorboard.scalars(scalars), summary):
    writer.add_summary(value, result.step or 0)
  writer.flush()


def _tile(encoded: bytes) -> np.ndarray:
  """Thumbnail, uint8 [H, W, 3], RGB, no side longer than `_TILE_SIDE`."""
  image = PIL.Image.open(io.BytesIO(encoded)).convert('RGB')
  image.thumbnail((_TILE_SIDE, _TILE_SIDE))
  return np.asarray(image)
