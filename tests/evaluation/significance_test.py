import numpy as np
import pytest
from scipy import stats

from vgg_slim.evaluation import significance


@pytest.mark.parametrize(('errors', 'total'), [(0, 5), (1, 1), (37, 360), (12_345, 50_000)])
def test_wilson_interval_matches_scipy(errors, total):
  expected = stats.binomtest(errors, total).proportion_ci(method='wilson')
  got = significance.wilson_interval(errors, total)
  assert got == pytest.approx((expected.low, expected.high), abs=1e-7)


def test_the_interval_stays_within_0_and_1():
  """Without clipping, rounding errors would leave 0..1 for some of these."""
  for total in range(1, 200):
    low, high = significance.wilson_interval(0, total)
    assert 0 <= low < high < 1
    low, high = significance.wilson_interval(total, total)
    assert 0 < low < high <= 1


@pytest.mark.parametrize(('first', 'second'), [(0, 0), (3, 3), (9, 1), (2, 30), (700, 900)])
def test_mcnemar_matches_scipy(first, second):
  """`first` and `second` images are correct for one classifier alone, three for both or neither."""
  correct = np.array([[1, 0]] * first + [[0, 1]] * second + [[1, 1], [0, 0], [1, 1]], bool)
  result = significance.mcnemar(*correct.T)
  assert (result.only_first, result.only_second) == (first, second)
  total = first + second
  expected = stats.binomtest(first, total).pvalue if total else 1
  assert result.p_value == pytest.approx(expected, rel=1e-9)
