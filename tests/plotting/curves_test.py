import numpy as np

from vgg_slim.plotting.curves import Curve, History, draw_history


def history(validation):
  epochs = (1.0, 2.0, 3.0)
  return History(
    Curve(epochs, (0.9, 0.5, 0.4), validation), Curve(epochs, (0.6, 0.7, 0.8), validation)
  )


def test_each_run_has_a_training_and_a_validation_curve(tmp_path):
  figure = draw_history({'a': history((0.5, 0.75, 0.75)), 'b': history((None, 0.25, 0.5))})
  loss, accuracy = figure.axes
  assert [len(axes.lines) for axes in figure.axes] == [
    5,
    5,
  ]  # the last one is the legend entry of dashed lines
  np.testing.assert_array_equal(loss.lines[0].get_ydata(), [0.9, 0.5, 0.4])
  np.testing.assert_array_equal(accuracy.lines[3].get_ydata(), [np.nan, 0.25, 0.5])
  assert accuracy.lines[0].get_color() == accuracy.lines[1].get_color()
  assert accuracy.lines[1].get_color() != accuracy.lines[3].get_color()
  texts = [text.get_text() for text in accuracy.get_legend().get_texts()]
  assert texts == ['a\n75.00% at epoch 2.00', 'b\n50.00% at epoch 3.00', 'dashed: training']
  figure.savefig(tmp_path / 'history.png')


def test_legends_stay_inside_their_axes_however_long_a_name_is():
  figure = draw_history({'cifar10_vgg16_bn_three_quarters_' * 3: history((0.5, 0.75, 0.75))})
  figure.canvas.draw()
  for axes in figure.axes:
    box, (left, right) = axes.get_legend().get_window_extent(), axes.bbox.intervalx
    assert left <= box.x0 < box.x1 <= right


def test_without_validation_the_training_curve_has_the_name_of_the_run():
  loss, _ = draw_history({'a': history((None,) * 3)}).axes
  assert [text.get_text() for text in loss.get_legend().get_texts()] == ['a', 'dashed: training']


def test_a_run_of_one_epoch_shows_a_point_of_each_curve_and_distinct_ticks():
  point = Curve((1.0,), (0.801,), (0.804,))
  figure = draw_history({'a': History(point, point)})
  figure.canvas.draw()
  for axes in figure.axes:
    assert [line.get_marker() for line in axes.lines[:2]] == ['.', 'o']
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
      texts = [label.get_text() for label in labels]
      assert len(set(texts)) == len(texts)
