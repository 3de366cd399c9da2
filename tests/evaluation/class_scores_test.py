import numpy as np

from tests.evaluation.fabricated import probabilities_of
from vgg_slim.evaluation import class_scores
from vgg_slim.evaluation.class_map import ClassMap

ALL = ClassMap(('a', 'b', 'c', 'd'), np.arange(4))
# Labels 0 and 1 of the data set are classes 3 and 0 of the network.
SOME = ClassMap(('a', 'b', 'c', 'd'), np.array([3, 0]))
LABELS = np.array([0, 0, 0, 1, 1, 3])
PREDICTED = np.array([0, 0, 1, 1, 0, 1])


def test_confusion_matrix_matches_hand_counts():
  matrix = class_scores.confusion_matrix(LABELS, PREDICTED, ALL)
  assert matrix.tolist() == [[2, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [0, 1, 0, 0]]


def test_other_classes_of_the_network_are_counted_together():
  labels, predicted = np.array([3, 3, 3, 0, 0]), np.array([3, 1, 2, 3, 2])
  matrix = class_scores.confusion_matrix(labels, predicted, SOME)
  assert matrix.tolist() == [[1, 0, 2], [1, 0, 1]]
  three, zero = class_scores.score_classes(labels, predicted, SOME)
  assert three == (1 / 2, 1 / 3, 0.4, 3)
  assert zero == (0, 0, 0, 2)


def test_precision_and_recall_match_hand_arithmetic():
  zero, one, two, three = class_scores.score_classes(LABELS, PREDICTED, ALL)
  assert zero == (2 / 3, 2 / 3, 2 / 3, 3)
  assert one == (1 / 3, 1 / 2, 0.4, 2)
  assert (two, three) == ((0, 0, 0, 0), (0, 0, 0, 1))


def test_the_most_confident_error_comes_first():
  predictions = ((1, 0.5), (0, 0.9), (2, 0.8), (1, 0.7))
  rows = [probabilities_of([label], confidence) for label, confidence in predictions]
  labels = np.array([0, 0, 0, 2])
  errors = class_scores.most_confident_errors(np.concatenate(rows), labels, count=2)
  assert errors.tolist() == [2, 3]


def test_equally_confident_errors_stay_in_order():
  rows = np.concatenate([probabilities_of([1], 0.75)] * 40)
  errors = class_scores.most_confident_errors(rows, np.zeros(40, int), count=40)
  assert errors.tolist() == list(range(40))


def test_a_network_that_predicts_one_class_for_all_images_is_described():
  text = class_scores.describe_only_class(LABELS, np.full(6, 2), ALL.names)
  assert text.startswith("The network predicts 'c' for all 6 images: ")


def test_other_networks_and_images_of_one_class_are_not():
  assert class_scores.describe_only_class(LABELS, PREDICTED, ALL.names) is None
  assert class_scores.describe_only_class(np.zeros(6, int), np.full(6, 2), ALL.names) is None
  assert class_scores.describe_only_class(LABELS[:0], PREDICTED[:0], ALL.names) is None
