"""How single classes fare: confusions, precision and recall, and the worst mistakes."""

from typing import NamedTuple

import numpy as np

from vgg_slim.evaluation.class_map import ClassMap
from vgg_slim.finite import check_finite


class ClassScores(NamedTuple):
  """One class; fractions are 0 where nothing is there to count.

  Attributes:
    precision: of the pictures taken for the class, the part that is of it.
    recall: of the pictures of the class, the part that was taken for it.
    f1: harmonic mean of both.
    num_images: pictures of the class.
  """

  precision: float
  recall: float
  f1: float
  num_images: int


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, classes: ClassMap) -> np.ndarray:
  """Counts images by label and predicted class.

  Args:
    labels: int [N], classes of the network.
    predicted: int [N], the same.
    classes: C of the network's K classes are those of the data set.

  Returns:
    int64 [C, C], row label, column predicted class, in the order of the data set; where K is more
    than C, [C, C + 1], with all other classes of the network in the last column.
  """
  others = len(classes.labels)
  place = np.full(len(classes.names), others)
  place[classes.labels] = np.arange(others)
  counts = np.zeros([others, others + 1], np.int64)
  np.add.at(counts, (place[labels], place[predicted]), 1)
  return counts if len(classes.names) > others else counts[:, :-1]


def score_classes(
  labels: np.ndarray, predicted: np.ndarray, classes: ClassMap
) -> list[ClassScores]:
  """Precision, recall and F1 of the data set's classes; arguments as `confusion_matrix`."""
  from sklearn import metrics  # a second, for reports only

  columns = metrics.precision_recall_fscore_support(
    labels, predicted, labels=classes.labels, zero_division=0
  )
  return [
    ClassScores(float(precision), float(recall), float(f1), int(count))
    for precision, recall, f1, count in zip(*columns, strict=True)
  ]


def most_confident_errors(probabilities: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
  """Up to `count` images that went wrong, the surest first: int [n] for float [N, K], int [N].

  Raises:
    NonFiniteError: a probability is not finite.
  """
  check_finite(probabilities)
  predicted = np.argmax(probabilities, axis=1)
  wrong = np.flatnonzero(predicted != labels)
  surest = np.argsort(-probabilities[wrong, predicted[wrong]], kind='stable')
  return wrong[surest[:count]]
