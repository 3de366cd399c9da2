"""How single classes fare: confusions, precision and recall, and the worst mistakes."""

from typing import NamedTuple

import numpy as np


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


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, num_classes: int) -> np.ndarray:
  """Counts, int64 [K, K]: row label, column predicted class; arguments are int [N]."""
  from sklearn import metrics  # a second, for reports only

  return metrics.confusion_matrix(labels, predicted, labels=np.arange(num_classes))


def score_classes(labels: np.ndarray, predicted: np.ndarray, num_classes: int) -> list[ClassScores]:
  """Precision, recall and F1 of every class; arguments as `confusion_matrix`."""
  from sklearn import metrics

  columns = metrics.precision_recall_fscore_support(
    labels, predicted, labels=np.arange(num_classes), zero_division=0
  )
  return [
    ClassScores(float(precision), float(recall), float(f1), int(count))
    for precision, recall, f1, count in zip(*columns, strict=True)
  ]


def most_confident_errors(probabilities: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
  """Up to `count` pictures that went wrong, the surest first: int [n] for float [N, K], int [N]."""
  predicted = np.argmax(probabilities, axis=1)
  wrong = np.flatnonzero(predicted != labels)
  surest = np.argsort(-probabilities[wrong, predicted[wrong]], kind='stable')
  return wrong[surest[:count]]
