import math

import numpy as np

from vgg_slim.plotting.learning_rates import Losses, draw_search


def test_rates_and_trials_have_a_curve_each_and_exploding_losses_are_cut_off(tmp_path):
  figure = draw_search(
    [0.1, 1.0, 10.0],
    Losses([2.4, 2.2, 1e9], [2.4, 2.3, math.nan]),
    {
      '0.1: learns': Losses([2.4, 1.0], [2.4, 1.7]),
      '1: diverges': Losses([2.4, 1e30], [2.4, 5e29]),
    },
    {"the run's: 0.1": 0.1, 'suggested: 1': 1.0},
    guessing=2.3,
  )
  left, right = figure.axes
  assert left.get_xscale() == 'log'
  np.testing.assert_array_equal(left.lines[1].get_ydata(), [2.4, 2.3, math.nan])
  assert [line.get_xdata()[0] for line in left.lines[2:4]] == [0.1, 1.0]
  labels = [text.get_text() for text in left.get_legend().get_texts()]
  assert labels == ['range test', "the run's: 0.1", 'suggested: 1', 'guessing']
  labels = [text.get_text() for text in right.get_legend().get_texts()]
  assert labels == ['0.1: learns', '1: diverges', 'guessing']
  np.testing.assert_array_equal(right.lines[1].get_xdata(), [1, 2])
  for axes, lowest in ((left, 2.2), (right, 1.0)):
    low, high = axes.get_ylim()
    assert 0.5 < low < lowest
    assert 2.4 < high < 3.6
  figure.savefig(tmp_path / 'search.png')


def test_a_range_test_alone_can_be_drawn():
  for rates, losses in (([0.1], [2.4]), ([], [])):
    figure = draw_search(rates, Losses(losses, losses), {}, {}, guessing=2.3)
    for axes in figure.axes:
      low, high = axes.get_ylim()
      assert low < 2.3 < high
