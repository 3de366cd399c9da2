import numpy as np

from tests.evaluation.fabricated import probabilities_of
from vgg_slim.evaluation import classes

LABELS = np.array([0, 0, 0, 1, 1, 3])
PREDICTED = np.array([0, 0, 1, 1, 0, 1])


def test_counts_by_hand():
  matrix = classes.confusion_matrix(LABELS, PREDICTED, num_classes=4)
  assert matrix.tolist() == [[2, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [0, 1, 0, 0]]


def test_precision_and_recall_by_hand():
  zero, one, two, three = classes.score_classes(LABELS, PREDICTED, num_classes=4)
  assert zero == (2 / 3, 2 / 3, 2 / 3, 3)
  assert one == (1 / 3, 1 / 2, 0.4, 2)
  assert (two, three) == ((0, 0, 0, 0), (0, 0, 0, 1))


def test_the_surest_mistake_comes_first():
  said = ((1, 0.5), (0, 0.9), (2, 0.8), (1, 0.7))
  rows = [probabilities_of([label], sure) for label, sure in said]
  labels = np.array([0, 0, 0, 2])
  found = classes.most_confident_errors(np.concatenate(rows), labels, count=2)
  assert found.tolist() == [2, 3]
