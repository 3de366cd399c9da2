import numpy as np

from vgg_slim.plotting import reliability


def test_bars_show_accuracies_and_counts():
  edges = np.array([0, 0.5, 1])
  accuracy, confidence = np.array([np.nan, 0.7]), np.array([np.nan, 0.8])
  figure = reliability.draw_reliability(edges, accuracy, confidence, np.array([0, 9]))
  upper, lower = figure.axes
  assert [bar.get_height() for bar in upper.patches] == [0, 0.7]
  assert [bar.get_height() for bar in lower.patches] == [0, 9]
  assert [(bar.get_x(), bar.get_width()) for bar in upper.patches] == [(0, 0.5), (0.5, 0.5)]
  np.testing.assert_array_equal(upper.lines[1].get_xydata()[1], [0.8, 0.7])
