"""Exact counts over a whole split, in NumPy."""

import dataclasses

import numpy as np

from vgg_slim.errors import DataError
from vgg_slim.finite import check_finite


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


def count(probabilities: np.ndarray, labels: np.ndarray) -> Scores:
  """Counts hits, float [N, K] and int [N]; ties go to the lower class, against the label.

  Raises:
    NonFiniteError: a probability is not finite.
  """
  check_finite(probabilities)
  of_label = np.take_along_axis(probabilities, labels[:, np.newaxis], axis=1)
  columns = np.arange(probabilities.shape[1])
  before = columns[np.newaxis] < labels[:, np.newaxis]
  better = (probabilities > of_label) | ((probabilities == of_label) & before)
  rank = np.sum(better, axis=1)
  return Scores(
    num_images=len(rank),
    top_1_error=float(np.mean(rank >= 1)),
    top_5_error=float(np.mean(rank >= 5)),
    loss=float(np.mean(-np.log(np.maximum(of_label, np.finfo(np.float64).tiny)))),
  )


class ScoreTable:
  """Class probabilities, or logits, of every picture of a split, averaged over its crops.

  A crop adds each picture exactly once; `average` refuses anything else, so that no picture counts
  twice because a last batch was filled up, or not at all because it was dropped.
  """

  def __init__(self, num_images: int, num_classes: int) -> None:
    self._sums = np.zeros([num_images, num_classes])
    self._seen = np.zeros([num_images], np.int64)
    self.labels = np.full([num_images], -1, np.int64)

  def add(self, indices: np.ndarray, scores: np.ndarray, labels: np.ndarray) -> None:
    """Adds one view of some pictures: int [N], float [N, K], int [N].

    Raises:
      DataError: an index beyond the split.
    """
    if indices.max() >= len(self._sums):
      raise DataError(f'The shards hold more than the {len(self._sums)} images of the manifest.')
    np.add.at(self._sums, indices, scores)
    np.add.at(self._seen, indices, 1)
    self.labels[indices] = labels

  def average(self, num_crops: int) -> np.ndarray:
    """Means of the scores, float64 [N, K].

    Raises:
      DataError: a picture was not seen exactly `num_crops` times.
    """
    wrong = np.flatnonzero(self._seen != num_crops)
    if wrong.size:
      raise DataError(
        f'{wrong.size} of the {len(self._seen)} pictures of the manifest were not scored exactly '
        f'{num_crops} times: picture {wrong[0]} came {self._seen[wrong[0]]} times.'
      )
    return self._sums / num_crops
