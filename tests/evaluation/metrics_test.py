import numpy as np
import pytest

from vgg_slim.errors import DataError
from vgg_slim.evaluation.metrics import ProbabilityTable


def test_ranks_by_hand():
  table = ProbabilityTable(num_images=4, num_classes=7)
  falling = [0.4, 0.2, 0.15, 0.1, 0.08, 0.05, 0.02]
  table.add(np.array([0, 1, 2, 3]), np.array([falling] * 4), np.array([0, 1, 4, 5]))
  scores = table.scores(num_views=1)
  assert scores.num_images == 4
  assert scores.top_1_error == 3 / 4
  assert scores.top_5_error == 1 / 4
  assert scores.loss == pytest.approx(-np.log(0.4 * 0.2 * 0.08 * 0.05) / 4)


def test_views_are_averaged_before_the_ranking():
  table = ProbabilityTable(1, 2)
  table.add(np.array([0]), np.array([[0.9, 0.1]]), np.array([1]))
  table.add(np.array([0]), np.array([[0.0, 1.0]]), np.array([1]))
  scores = table.scores(num_views=2)
  assert scores.top_1_error == 0
  assert scores.loss == pytest.approx(-np.log(0.55))


def test_a_network_that_knows_nothing_gets_one_class_right():
  table = ProbabilityTable(4, 4)
  table.add(np.arange(4), np.full([4, 4], 0.25), np.arange(4))
  assert table.scores(1).top_1_error == 3 / 4


def test_a_picture_left_out_or_counted_twice_is_an_error():
  table = ProbabilityTable(3, 2)
  half = np.full([2, 2], 0.5)
  table.add(np.array([0, 1]), half, np.array([0, 1]))
  with pytest.raises(DataError, match='1 of the 3 pictures .* picture 2 came 0 times'):
    table.scores(num_views=1)
  table.add(np.array([2, 0]), half, np.array([0, 1]))
  with pytest.raises(DataError, match='picture 0 came 2 times'):
    table.scores(num_views=1)


def test_more_pictures_than_the_manifest_says():
  table = ProbabilityTable(1, 2)
  with pytest.raises(DataError, match='more than the 1 pictures'):
    table.add(np.array([1]), np.array([[0.5, 0.5]]), np.array([0]))


def test_labels_outside_the_classes():
  table = ProbabilityTable(1, 2)
  with pytest.raises(DataError, match=r'outside 0 .. 1: \[2\]'):
    table.add(np.array([0]), np.array([[0.5, 0.5]]), np.array([2]))
