import warnings

import numpy as np
import pytest
from sklearn import metrics

from vgg_slim.evaluation.class_counts import count_classes


@pytest.mark.parametrize('seed', range(20))
def test_every_number_is_that_of_scikit_learn(seed):
  """Few images of many classes: some have no images, some no predictions, some neither."""
  rng = np.random.default_rng(seed)
  num_classes = int(rng.integers(2, 9))
  labels, predicted = rng.integers(0, rng.integers(1, num_classes + 1, 2), [12, 2]).T
  counts = count_classes(labels, predicted, num_classes)
  columns = metrics.precision_recall_fscore_support(
    labels, predicted, labels=range(num_classes), zero_division=0
  )
  got = counts.precision(), counts.recall(), counts.f1(), counts.labeled
  np.testing.assert_allclose(got, columns, rtol=1e-12)
  assert counts.macro_f1() == pytest.approx(metrics.f1_score(labels, predicted, average='macro'))
  with warnings.catch_warnings():
    warnings.simplefilter('ignore', UserWarning)  # of classes that are only predicted
    balanced = metrics.balanced_accuracy_score(labels, predicted)
  assert counts.balanced_accuracy() == pytest.approx(balanced)


def test_the_common_class_alone_is_no_better_than_guessing():
  counts = count_classes(np.array([0] * 27 + [1]), np.zeros(28, int), 2)
  assert counts.balanced_accuracy() == 0.5
  assert counts.macro_f1() == pytest.approx(27 / 55)


@pytest.mark.parametrize(
  ('labels', 'predicted', 'only'),
  [([0, 1, 2], [1, 1, 1], 1), ([0, 1, 2], [1, 1, 0], None), ([1, 1], [1, 1], None)],
)
def test_one_answer_for_different_labels(labels, predicted, only):
  assert count_classes(np.array(labels), np.array(predicted), 3).only_answer() == only
