import numpy as np
import pytest

from vgg_slim.errors import DataError, NonFiniteError
from vgg_slim.evaluation.metrics import ScoreTable, count


def test_scores_match_hand_arithmetic():
  descending = [0.4, 0.2, 0.15, 0.1, 0.08, 0.05, 0.02]
  scores = count(np.array([descending] * 4), np.array([0, 1, 4, 5]))
  assert scores.num_images == 4
  assert scores.top_1_error == 3 / 4
  assert scores.top_5_error == 1 / 4
  assert scores.loss == pytest.approx(-np.log(0.4 * 0.2 * 0.08 * 0.05) / 4)


def test_equal_probabilities_are_correct_for_one_class_only():
  assert count(np.full([4, 4], 0.25), np.arange(4)).top_1_error == 3 / 4


def test_all_classes_weigh_the_same_in_balanced_accuracy_and_macro_f1():
  scores = count(np.eye(3)[[0, 0, 0, 1]], np.array([0, 0, 0, 2]))
  assert (scores.top_1_error, scores.balanced_accuracy, scores.only_answer) == (0.25, 0.5, None)
  assert scores.macro_f1 == pytest.approx(1 / 3)  # 1, 0 and 0
  assert count(np.eye(3)[[0, 0]], np.array([0, 2])).only_answer == 0


def test_nan_is_refused():
  with pytest.raises(NonFiniteError, match='image number 1'):
    count(np.array([[1, 0], [np.nan, np.nan]]), np.array([0, 0]))


def test_a_label_with_probability_0_has_a_finite_loss():
  # The smallest normal float64 is 2**-1022.
  assert count(np.array([[1.0, 0.0]]), np.array([1])).loss == pytest.approx(1022 * np.log(2))


def test_crops_are_averaged():
  table = ScoreTable(2, 2)
  # One crop of image 1 shares a batch with both crops of image 0.
  table.add(np.array([0, 0, 1]), np.array([[0.9, 0.1], [0, 1], [0.5, 0.5]]), np.array([1, 1, 0]))
  table.add(np.array([1]), np.array([[1, 0]]), np.array([0]))
  np.testing.assert_allclose(table.average(num_crops=2), [[0.45, 0.55], [0.75, 0.25]])
  assert list(table.labels) == [1, 0]


def test_an_image_scored_never_or_twice_is_an_error():
  table = ScoreTable(3, 2)
  half = np.full([2, 2], 0.5)
  table.add(np.array([0, 1]), half, np.array([0, 1]))
  with pytest.raises(DataError, match='1 of the 3 images .* image 2 was scored 0 times'):
    table.average(num_crops=1)
  table.add(np.array([2, 0]), half, np.array([0, 1]))
  with pytest.raises(DataError, match='image 0 was scored 2 times'):
    table.average(num_crops=1)


def test_more_images_than_in_the_manifest_are_an_error():
  table = ScoreTable(1, 2)
  with pytest.raises(DataError, match='more than the 1 image of'):
    table.add(np.array([0, 1]), np.full([2, 2], 0.5), np.array([0, 0]))
  with pytest.raises(DataError, match='more than the 1 image of'):
    table.add(np.array([1]), np.array([[0.5, 0.5]]), np.array([0]))
