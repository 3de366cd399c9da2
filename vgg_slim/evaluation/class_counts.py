"""Counts of correct and wrong answers per class, and every number that follows from them."""

from typing import NamedTuple

import numpy as np


class ClassCounts(NamedTuple):
  """Numbers of images of each of K classes, int64 [K].

  Attributes:
    labeled: images whose label is the class.
    predicted: images whose most probable class it is.
    correct: images for which it is both.
  """

  labeled: np.ndarray
  predicted: np.ndarray
  correct: np.ndarray

  def precision(self) -> np.ndarray:
    """Fraction of the images predicted as each class that belong to it; 0 without any."""
    return _ratio(self.correct, self.predicted)

  def recall(self) -> np.ndarray:
    """Fraction of the images of each class that are predicted as it; 0 without any."""
    return _ratio(self.correct, self.labeled)

  def f1(self) -> np.ndarray:
    """Harmonic mean of precision and recall of each class; 0 where neither is known."""
    return _ratio(2 * self.correct, self.labeled + self.predicted)

  def balanced_accuracy(self) -> float:
    """Mean recall of the classes that have images, as scikit-learn's `balanced_accuracy_score`."""
    return float(self.recall()[self.labeled > 0].mean())

  def macro_f1(self) -> float:
    """Mean F1 of the classes that have images or predictions, as scikit-learn's `f1_score`."""
    return float(self.f1()[self.labeled + self.predicted > 0].mean())

  def only_answer(self) -> int | None:
    """The class that all images are predicted as, if their labels differ; else None."""
    answers = np.flatnonzero(self.predicted)
    has_one_label = np.count_nonzero(self.labeled) < 2
    return None if has_one_label or len(answers) > 1 else int(answers[0])


def count_classes(labels: np.ndarray, predicted: np.ndarray, num_classes: int) -> ClassCounts:
  """Counts images by class.

  Args:
    labels: true classes, int [N], N at least 1.
    predicted: most probable classes, int [N].
    num_classes: number K of classes.
  """
  chosen = (labels, predicted, labels[labels == predicted])
  return ClassCounts(*(np.bincount(classes, minlength=num_classes) for classes in chosen))


def _ratio(numbers: np.ndarray, totals: np.ndarray) -> np.ndarray:
  return numbers / np.maximum(totals, 1)
