"""Exact error rates and loss over a whole split, in NumPy."""

import dataclasses

import numpy as np

from vgg_slim.errors import DataError
from vgg_slim.evaluation import class_counts
from vgg_slim.finite import check_finite
from vgg_slim.wording import counted


@dataclasses.dataclass(frozen=True)
class Scores:
  """Error rates and loss of a split.

  Attributes:
    num_images: number of images scored, each counted once.
    top_1_error: fraction of images whose most probable class is not the label.
    top_5_error: fraction of images whose label is not among the five most probable classes; 0 for
      five classes or fewer.
    loss: mean cross-entropy, -log(probability of the label).
    balanced_accuracy: mean recall of the classes that have images.
    macro_f1: mean F1 of the classes that have images or predictions.
    only_answer: index of the class that is the most probable one for every image, although their
      labels differ; None in all other cases.
  """

  num_images: int
  top_1_error: float
  top_5_error: float
  loss: float
  balanced_accuracy: float
  macro_f1: float
  only_answer: int | None


def count(probabilities: np.ndarray, labels: np.ndarray) -> Scores:
  """Computes error rates and loss.

  The label ranks below every class of the same probability and a lower index.

  Args:
    probabilities: class probabilities, float [N, K].
    labels: class indices, int [N].

  Raises:
    NonFiniteError: a probability is not finite.
  """
  check_finite(probabilities)
  label_probability = np.take_along_axis(probabilities, labels[:, np.newaxis], axis=1)
  columns = np.arange(probabilities.shape[1])
  before = columns[np.newaxis] < labels[:, np.newaxis]
  better = (probabilities > label_probability) | ((probabilities == label_probability) & before)
  rank = np.sum(better, axis=1)
  counts = class_counts.count_classes(
    labels, np.argmax(probabilities, axis=1), probabilities.shape[1]
  )
  return Scores(
    num_images=len(rank),
    top_1_error=float(np.mean(rank >= 1)),
    top_5_error=float(np.mean(rank >= 5)),
    loss=float(np.mean(-np.log(np.maximum(label_probability, np.finfo(np.float64).tiny)))),
    balanced_accuracy=counts.balanced_accuracy(),
    macro_f1=counts.macro_f1(),
    only_answer=counts.only_answer(),
  )


class ScoreTable:
  """Class probabilities or logits of every image of a split, averaged over its crops.

  `average` checks that every image was scored exactly once per crop, so an image that a padded last
  batch repeats or a dropped one omits is an error.
  """

  def __init__(self, num_images: int, num_classes: int) -> None:
    self._sums = np.zeros([num_images, num_classes])
    self._num_scored = np.zeros([num_images], np.int64)
    self.labels = np.full([num_images], -1, np.int64)

  def add(self, indices: np.ndarray, scores: np.ndarray, labels: np.ndarray) -> None:
    """Adds the scores of one batch of crops.

    Args:
      indices: index of each image in the split, int [N].
      scores: probabilities or logits, float [N, K].
      labels: class indices, int [N].

    Raises:
      DataError: an index is outside the split.
    """
    if indices.max() >= len(self._sums):
      raise DataError(
        f'The shards hold more than the {counted(len(self._sums), "image")} of the manifest.'
      )
    np.add.at(self._sums, indices, scores)
    np.add.at(self._num_scored, indices, 1)
    self.labels[indices] = labels

  def average(self, num_crops: int) -> np.ndarray:
    """Mean scores of each image, float64 [N, K].

    Raises:
      DataError: an image was not scored exactly `num_crops` times.
    """
    wrong = np.flatnonzero(self._num_scored != num_crops)
    if wrong.size:
      raise DataError(
        f'{wrong.size} of the {len(self._num_scored)} images of the manifest were not scored '
        f'exactly {counted(num_crops, "time")}: image {wrong[0]} was scored '
        f'{counted(self._num_scored[wrong[0]], "time")}.'
      )
    return self._sums / num_crops
