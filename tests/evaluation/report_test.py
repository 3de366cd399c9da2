import base64
import io
import re

import numpy as np
import PIL.Image

from tests.evaluation.fabricated import probabilities_of, scored_checkpoint
from vgg_slim.evaluation import report, tables
from vgg_slim.evaluation.class_map import ClassMap
from vgg_slim.plotting import confusion
from vgg_slim.preprocessing import png_files

ALL = ClassMap(('cat', 'dog', 'owl'), np.arange(3))
LABELS = [0, 1, 2, 1]


def build(predicted, other=(0, 1, 2, 1), labels=LABELS, classes=ALL, **request):
  scored = [
    scored_checkpoint({('dense', 64): probabilities_of(p)}, labels, ('dense',), model, **request)
    for model, p in (('vgg_d', list(other)), ('vgg_e', predicted))
  ]
  requested = []

  def read_images(indices):
    requested.extend(indices)
    pixels = np.full([40, 400, 3], 77, np.uint8)
    return [(f'{index}.png', png_files.encode(pixels)) for index in indices]

  shown = tables.make_tables(scored)[:1]
  return report.render_report(shown, tables.compare(scored), classes, read_images), requested


def test_the_report_lists_scores_tests_and_errors():
  text, requested = build(predicted=[0, 2, 2, 1])
  assert requested == [1]
  assert 'dog, predicted as owl (90.0%): 1.png' in text
  assert '<td class="number">25.00%</td>' in text  # the error of the last line
  assert re.search(r'<td>dog</td><td class="number">100.00%</td><td class="number">50.00%', text)
  assert 'vgg_d, S=256, dense</td><td>vgg_e, S=256, dense</td><td class="number">1</td>' in text
  assert 'top-5 error' not in text  # of three classes
  # Three of four are correct at a confidence of 0.9: |0.75 - 0.9|.
  assert 'ECE, 15 bins): 0.1500' in text


def test_images_are_embedded_and_small():
  text, _ = build(predicted=[0, 2, 2, 1])
  sources = re.findall(r'src="([^"]*)"', text)
  assert len(sources) == 3  # confusions, reliability, one error
  images = [
    PIL.Image.open(io.BytesIO(base64.b64decode(s.removeprefix('data:image/png;base64,'))))
    for s in sources
  ]
  assert images[2].size == (288, 29)
  # Figures are as wide as their pixels, images half as wide, for dense screens.
  widths = [int(width) for width in re.findall(r'<figure style="width:(\d+)px"', text)]
  assert widths == [images[0].width, images[1].width, images[2].width // 2]


def test_a_confusion_matrix_of_too_many_classes_is_not_drawn(monkeypatch):
  monkeypatch.setattr(confusion, 'MAX_CLASSES', 2)
  text, _ = build(predicted=[0, 2, 2, 1])
  assert 'Not drawn: these are more than 2 classes.' in text
  assert text.count('src="') == 2  # reliability, one error


def test_pools_that_round_up_are_mentioned():
  text, _ = build(predicted=LABELS, pool_rounding='ceil')
  assert 'Pools round up, as in the paper. Networks are computed in float32. S and Q are' in text
  assert 'Pools' not in build(predicted=LABELS)[0]


def test_a_split_without_errors_says_so():
  text, requested = build(predicted=LABELS)
  assert requested == []
  assert 'There are none.' in text


def test_only_the_classes_of_the_data_set_are_listed():
  some = ClassMap(ALL.names, np.array([2, 0]))  # there is no image of a cat
  text, _ = build(predicted=[2, 1, 2, 2], other=(2, 2, 2, 2), labels=[2, 2, 2, 2], classes=some)
  assert '4 images of 2 of the network&#x27;s 3 classes, matched by name' in text
  assert '<td>owl</td><td class="number">100.00%</td><td class="number">75.00%</td>' in text
  dash = '<td class="number">-</td>'
  assert f'<td>cat</td>{dash}{dash}{dash}<td class="number">0</td>' in text
  assert '<td>dog</td>' not in text
  assert text.index('<td>owl</td>') < text.index('<td>cat</td>')  # classes without images are last
  assert 'owl, predicted as dog (90.0%): 1.png' in text


def test_of_many_classes_those_with_the_lowest_f1_are_listed():
  names = [f'class {i:03d}' for i in range(102)]
  labels = list(range(102))
  predicted = [*labels[:100], 101, 100]
  passes = {('dense', 64): probabilities_of(predicted, num_classes=102)}
  shown = tables.make_tables([scored_checkpoint(passes, labels, ('dense',))])
  encoded = png_files.encode(np.zeros([8, 8, 3], np.uint8))
  text = report.render_report(
    shown,
    [],
    ClassMap(tuple(names), np.arange(102)),
    lambda indices: [('x.png', encoded)] * len(indices),
  )
  assert '<th class="number">top-5 error</th>' in text
  assert 'Lowest F1 first; the other 2 are left out.' in text
  rows = re.findall(r'<td>(class \d+)</td>', text)
  assert rows[:3] == ['class 100', 'class 101', 'class 000']
  assert len(rows) == 100
