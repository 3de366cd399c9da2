"""Scores per class: confusion matrix, precision and recall, most confident errors."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from vgg_slim.data import class_balance
from vgg_slim.evaluation import class_counts
from vgg_slim.evaluation.class_map import ClassMap
from vgg_slim.finite import check_finite


class ClassScores(NamedTuple):
  """Scores of one class; a fraction whose denominator is zero is 0.

  Attributes:
    precision: fraction of the images predicted as this class that belong to it.
    recall: fraction of the images of this class that are predicted as it.
    f1: harmonic mean of precision and recall.
    num_images: number of images of this class.
  """

  precision: float
  recall: float
  f1: float
  num_images: int


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, classes: ClassMap) -> np.ndarray:
  """Counts images by label and predicted class.

  Args:
    labels: true class of each image, int [N], as class indices of the network.
    predicted: predicted class of each image, int [N], as class indices of the network.
    classes: mapping from the C classes of the data set to the K classes of the network.

  Returns:
    Counts by label (row) and predicted class (column), int64 [C, C], in the order of the data set.
    If K > C, [C, C + 1]: the last column counts all other classes of the network.
  """
  num_labels = len(classes.labels)
  column_of = np.full(len(classes.names), num_labels)
  column_of[classes.labels] = np.arange(num_labels)
  counts = np.zeros([num_labels, num_labels + 1], np.int64)
  np.add.at(counts, (column_of[labels], column_of[predicted]), 1)
  return counts if len(classes.names) > num_labels else counts[:, :-1]


def describe_only_class(
  labels: np.ndarray, predicted: np.ndarray, names: Sequence[str]
) -> str | None:
  """Returns a sentence if all images are predicted as one class, although their classes differ.

  Args:
    labels: true class of each image, int [N].
    predicted: predicted class of each image, int [N].
    names: names of the classes.
  """
  if not labels.size:
    return None
  only = class_counts.count_classes(labels, predicted, len(names)).only_answer()
  if only is None:
    return None
  return class_balance.describe_only_answer(names[only], f'all {len(labels)} images')


def score_classes(
  labels: np.ndarray, predicted: np.ndarray, classes: ClassMap
) -> list[ClassScores]:
  """Scores of each class of the data set, in its order; arguments as in `confusion_matrix`."""
  counts = class_counts.count_classes(labels, predicted, len(classes.names))
  columns = (counts.precision(), counts.recall(), counts.f1(), counts.labeled)
  rows = zip(*(column[classes.labels].tolist() for column in columns), strict=True)
  return [ClassScores(*row) for row in rows]


def most_confident_errors(probabilities: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
  """Indices of misclassified images, those with the highest probability first.

  Args:
    probabilities: class probabilities, float [N, K].
    labels: class indices, int [N].
    count: maximum number of indices to return.

  Returns:
    int [n], n at most `count`.

  Raises:
    NonFiniteError: a probability is not finite.
  """
  check_finite(probabilities)
  predicted = np.argmax(probabilities, axis=1)
  wrong = np.flatnonzero(predicted != labels)
  by_confidence = np.argsort(-probabilities[wrong, predicted[wrong]], kind='stable')
  return wrong[by_confidence[:count]]
