import numpy as np
import pytest

from tests.evaluation.fabricated import probabilities_of
from vgg_slim.evaluation import precision_proof


def test_equal_answers_with_small_differences_hold():
  exact = probabilities_of([0] * 64, 0.9)
  fast = probabilities_of([0] * 64, 0.896)
  proof = precision_proof.prove_scores(exact, fast, 'bfloat16')
  assert proof.holds
  assert proof.describe() == ('bfloat16: 0 of 64 top-1 answers change, largest difference 0.004')


@pytest.mark.parametrize(
  ('num_changed', 'count', 'holds'), [(1, 64, True), (2, 64, False), (2, 128, True), (1, 63, False)]
)
def test_one_answer_in_64_may_change(num_changed, count, holds):
  exact = probabilities_of([0] * count, 0.34)
  fast = probabilities_of([1] * num_changed + [0] * (count - num_changed), 0.34)
  proof = precision_proof.prove_scores(exact, fast, 'bfloat16')
  assert proof.holds == holds
  assert proof.describe() == (
    f'bfloat16: {num_changed} of {count} top-1 answers change, largest difference 0.01'
    + ('' if holds else '; computed in float32')
  )


@pytest.mark.parametrize(('confidence', 'holds'), [(0.851, True), (0.849, False), (np.nan, False)])
def test_a_probability_may_differ_by_a_twentieth(confidence, holds):
  exact, fast = probabilities_of([2, 1], 0.9), probabilities_of([2, 1], 0.9)
  fast[1, 1] = confidence
  assert precision_proof.prove_scores(exact, fast, 'float16').holds == holds


def test_features_are_compared_image_by_image():
  exact = np.zeros([3, 1, 2, 2], np.float32)
  exact[0, 0, 0, 0], exact[1, 0, 0] = 100, (3, 4)
  fast = np.copy(exact)
  fast[1, 0, 1, 1] = 0.14  # 2.8 % of the norm of 5; the third image has no features at all
  proof = precision_proof.prove_features(exact, fast, 'bfloat16')
  assert proof.largest == pytest.approx(0.028)
  assert proof.holds
  assert proof.describe() == 'bfloat16: features of 3 images, largest difference 0.028'
  fast[1, 0, 1, 1] = 0.16
  assert not precision_proof.prove_features(exact, fast, 'bfloat16').holds


def test_the_first_rows_of_batches_are_taken_and_no_more_batches():
  seen = []

  def batches(*sizes):
    for size in sizes:
      seen.append(size)
      yield np.full([size, 2], size)

  rows = precision_proof.first_rows(batches(40, 30, 20))
  assert [row[0] for row in rows] == [40] * 40 + [30] * 24
  assert seen == [40, 30]
  assert len(precision_proof.first_rows(batches(5))) == 5
