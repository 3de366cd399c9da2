from types import SimpleNamespace

import numpy as np

from vgg_slim.plotting.growth import draw_growth


def line(name, medians, linear):
  return SimpleNamespace(
    name=name,
    points=[
      SimpleNamespace(
        value=value,
        image_seconds=SimpleNamespace(median=median, lower=median / 2, upper=median * 2),
        linear=bound,
      )
      for value, median, bound in zip((1, 4, 64), medians, linear, strict=True)
    ],
  )


def test_milliseconds_and_linear_cost_of_each_system_are_drawn(tmp_path):
  lines = [line('ours', (0.5, 0.2, 0.3), (0.5, 0.2, 0.2)), line('theirs', (1, 1, 1), (1, 1, 1))]
  figure = draw_growth(lines, 'images per batch')
  (axes,) = figure.axes
  bound, cost = axes.lines[:2]
  np.testing.assert_allclose(cost.get_xydata(), [(1, 500), (4, 200), (64, 300)])
  np.testing.assert_allclose(bound.get_ydata(), [500, 200, 200])
  quartiles = axes.collections[0].get_paths()[0].vertices[:, 1]
  assert (quartiles.min(), quartiles.max()) == (100, 1000)
  assert cost.get_color() == bound.get_color() != axes.lines[3].get_color()
  assert (axes.get_xscale(), axes.get_yscale()) == ('log', 'log')
  assert [text.get_text() for text in axes.get_xticklabels()] == ['1', '4', '64']
  assert [text.get_text() for text in axes.get_legend().get_texts()][:2] == ['ours', 'theirs']
  figure.savefig(tmp_path / 'growth.png')
