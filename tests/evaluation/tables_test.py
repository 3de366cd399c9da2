import dataclasses

from tests.evaluation.fabricated import probabilities_of, scored_checkpoint
from vgg_slim.evaluation import tables

LABELS = [0, 1, 2, 1]


def scored(model, views, scales, predicted=(0, 1, 2, 0), **request):
  parts = {part for view in views for part in view.split('+')}
  passes = {(part, q): probabilities_of(list(predicted)) for part in sorted(parts) for q in scales}
  return scored_checkpoint(passes, LABELS, views, model, **request)


def layout(checkpoints):
  return [
    (table.paper, [(r.model, r.view, r.test_scales) for r in (line.result for line in table.lines)])
    for table in tables.make_tables(checkpoints)
  ]


def test_one_view_at_one_scale_is_one_line():
  assert layout([scored('d', ('dense',), [256])]) == [(3, [('d', 'dense', (256,))])]


def test_the_papers_four_tables():
  views = ('dense', 'multi_crop', 'dense+multi_crop')
  scales = (256, 384, 512)
  both = [scored(model, views, scales) for model in ('d', 'e')]
  assert layout(both) == [
    (3, [(model, 'dense', (q,)) for model in ('d', 'e') for q in scales]),
    (4, [(model, 'dense', scales) for model in ('d', 'e')]),
    (5, [(model, view, scales) for model in ('d', 'e') for view in views]),
    (6, [('d + e', view, scales) for view in views]),
  ]


def test_several_views_at_one_scale_are_one_table():
  views = ('center', 'dense')
  assert layout([scored('d', views, [32])]) == [(5, [('d', v, (32,)) for v in views])]


def test_without_the_dense_view_the_first_view_is_tabulated():
  views = ('center', 'ten_crop')
  assert layout([scored('d', views, [32, 48])]) == [
    (3, [('d', 'center', (q,)) for q in (32, 48)]),
    (4, [('d', 'center', (32, 48))]),
    (5, [('d', v, (32, 48)) for v in views]),
  ]


def test_one_network_with_several_scales_is_enough_for_table_4():
  both = [scored('d', ('dense',), [256]), scored('e', ('dense',), [256, 384])]
  assert layout(both) == [
    (3, [('d', 'dense', (256,)), ('e', 'dense', (256,)), ('e', 'dense', (384,))]),
    (4, [('d', 'dense', (256,)), ('e', 'dense', (256, 384))]),
    (6, [('d + e', 'dense', (256, 384))]),
  ]


def test_cells_are_formatted():
  line = tables.make_tables([scored('d', ('dense',), [256], flip=False)])[0].lines[0]
  cells = dict(zip(tables.HEADINGS, tables.cells(line.result), strict=False))
  assert (cells['network'], cells['S'], cells['Q']) == ('d', '256', '256')
  assert cells['views per image'] == '1'
  assert (cells['top-1 error'], cells['top-1 accuracy']) == ('25.00%', '75.00%')
  assert (cells['images'], cells['images/s']) == ('4', '8')
  low, high = line.result.top_1_interval
  assert tables.cells(line.result)[10] == f'{100 * low:.2f}% - {100 * high:.2f}%'
  assert tables.cells(line.result)[11:13] == ('0.00%', '0.00% - 48.99%')


def test_high_rates_have_no_exponent():
  result = tables.make_tables([scored('d', ('dense',), [256])])[0].lines[0].result
  rates = (0.12345, 12.345, 99.99, 1234.5)
  shown = [tables.cells(dataclasses.replace(result, images_per_second=r))[-1] for r in rates]
  assert shown == ['0.123', '12.3', '100', '1234']


def test_equal_networks_are_identified_by_their_checkpoints():
  comparison = tables.compare([scored('d', ('dense',), [256]) for _ in range(2)])[0]
  assert tables.describe(comparison) == ('runs/d/model.ckpt-9', 'runs/d/model.ckpt-9')


def test_lines_that_differ_in_network_or_view_are_compared():
  both = [
    scored('d', ('dense', 'center'), [256], predicted=(0, 1, 2, 0)),
    scored('e', ('dense', 'center'), [256], predicted=(1, 1, 2, 1)),
  ]
  pairs = {
    (c.first.result.model, c.first.result.view, c.second.result.model, c.second.result.view): c.test
    for c in tables.compare(both)
  }
  assert set(pairs) == {
    ('d', 'dense', 'd', 'center'),
    ('e', 'dense', 'e', 'center'),
    ('d', 'dense', 'e', 'dense'),
    ('d', 'center', 'e', 'center'),
  }
  assert pairs['d', 'dense', 'e', 'dense'] == (1, 1, 1.0)
  assert pairs['d', 'dense', 'd', 'center'] == (0, 0, 1.0)
