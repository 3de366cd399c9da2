"""Exact counts over a whole split, in NumPy."""

import dataclasses

import numpy as np

from vgg_slim.errors import DataError


@dataclasses.dataclass(frozen=True)
class Scores:
  """What a split comes to.

  Attributes:
    num_images: pictures that were scored, each once.
    top_1_error: fraction whose most probable class is not the label's.
    top_5_error: fraction whose label is not among the five most probable; 0 up to five classes.
    loss: mean of -log(probability of the label).
  """

  num_images: int
  top_1_error: float
  top_5_error: float
  loss: float


class ProbabilityTable:
  """Class probabilities of every picture of a split, averaged over views.

  A view (scale, flip, crop) adds each picture exactly once; `scores` refuses anything else, so that
  no picture counts twice because a last batch was filled up, or not at all because it was dropped.
  """

  def __init__(self, num_images: int, num_classes: int) -> None:
    self._sums = np.zeros([num_images, num_classes])
    self._labels = np.full([num_images], -1, np.int64)
    self._views = np.zeros([num_images], np.int64)

  def add(self, indices: np.ndarray, probabilities: np.ndarray, labels: np.ndarray) -> None:
    """Adds one view of some pictures: int [N], float [N, K], int [N].

    Raises:
      DataError: an index beyond the split, or a label beyond the classes.
    """
    num_images, num_classes = self._sums.shape
    if indices.max() >= num_images:
      raise DataError(f'The shards hold more than the {num_images} pictures of the manifest.')
    if labels.min() < 0 or labels.max() >= num_classes:
      raise DataError(
        f'A label lies outside 0 .. {num_classes - 1}: {sorted(set(labels.tolist()))}.'
      )
    np.add.at(self._sums, indices, probabilities)
    np.add.at(self._views, indices, 1)
    self._labels[indices] = labels

  def scores(self, num_views: int) -> Scores:
    """Counts hits of the averaged probabilities; ties go to the lower class, against the label.

    Raises:
      DataError: a picture was not seen exactly `num_views` times.
    """
    wrong = np.flatnonzero(self._views != num_views)
    if wrong.size:
      raise DataError(
        f'{wrong.size} of the {len(self._views)} pictures of the manifest were not scored exactly '
        f'{num_views} times: picture {wrong[0]} came {self._views[wrong[0]]} times.'
      )
    probabilities = self._sums / num_views
    of_label = np.take_along_axis(probabilities, self._labels[:, np.newaxis], axis=1)
    columns = np.arange(probabilities.shape[1])
    before = columns[np.newaxis] < self._labels[:, np.newaxis]
    better = (probabilities > of_label) | ((probabilities == of_label) & before)
    rank = np.sum(better, axis=1)
    return Scores(
      num_images=len(rank),
      top_1_error=float(np.mean(rank >= 1)),
      top_5_error=float(np.mean(rank >= 5)),
      loss=float(np.mean(-np.log(np.maximum(of_label, np.finfo(np.float64).tiny)))),
    )
