import warnings

import numpy as np
import pytest
from matplotlib import font_manager
from matplotlib.figure import Figure

from vgg_slim.plotting import confusion, curves, heat_maps, predictions, samples, text

NAMES = (
  '$$',
  'a_$b^{',
  r'\$x$ \alpha',
  '猫和狗',
  '😀 cat',
  'two\nlines\t\x07',
  'x' * 200,
  'Žluťoučký',
)
PIXELS = np.zeros([8, 8, 3], np.uint8)
CURVE = curves.Curve([1.0], [0.5], [0.5])


@pytest.fixture
def only_dejavu(monkeypatch):
  """Simulates a machine where only the fonts of matplotlib are installed."""
  monkeypatch.setattr(text, '_installed', list)
  text._family.cache_clear()
  yield
  text._family.cache_clear()


def drawn(string):
  """How matplotlib draws `plain(string)`: the characters, and whether as a formula."""
  artist = Figure().text(0, 0, text.plain(string))
  return artist._preprocess_math(artist.get_text())


@pytest.mark.parametrize('string', ['$$', 'a_$b^{', 'costs $5 to $6', r'\$x$ \alpha', '$', ''])
def test_dollars_and_backslashes_are_drawn_literally(string):
  assert drawn(string) == (string, False)


@pytest.mark.usefixtures('only_dejavu')
@pytest.mark.parametrize(
  ('string', 'expected'),
  [
    ('猫 cat', r'\u732b cat'),
    ('\U0001f9ff', '\\U0001f9ff'),
    ('Žluťoučký', 'Žluťoučký'),
    ('Ａｂ', 'Ab'),  # fullwidth forms, which DejaVu lacks
    ('bell\x07', r'bell\x07'),
    ('broken\udcff', r'broken\udcff'),
    ('two\n lines', 'two lines'),
  ],
)
def test_characters_that_no_font_has_are_transliterated_or_escaped(string, expected):
  assert text.plain(string) == expected
  assert text.families(string) == ['DejaVu Sans']


def test_the_middle_of_a_long_name_is_left_out():
  name = 'n' * 100 + 'end'
  assert len(text.plain(name)) == 40
  assert text.plain(name).startswith('nnn')
  assert text.plain(name).endswith('end')
  assert text.plain('n' * 40) == 'n' * 40


def test_wide_characters_and_escapes_count_by_their_drawn_width(monkeypatch):
  monkeypatch.setattr(text, '_family', lambda character: text._FAMILY)
  assert text.plain('猫' * 20) == '猫' * 20
  assert text.plain('猫' * 21) == '猫' * 13 + '…' + '猫' * 6  # 26, 1 and 12 of 40 columns


@pytest.mark.usefixtures('only_dejavu')
def test_escapes_are_never_cut():
  name = text.plain('金毛寻回犬金毛寻回犬')
  assert len(name) <= 40
  assert name.startswith('\\u91d1\\u6bdb')
  assert name.endswith('\\u56de\\u72ac')
  assert set(name.replace('…', '').split('\\u')[1:]) <= {'91d1', '6bdb', '5bfb', '56de', '72ac'}


@pytest.mark.parametrize('name', ['x' * 60, '金毛寻回犬' * 12])
@pytest.mark.parametrize('count', [1, 2, 8])
def test_long_labels_leave_room_for_a_confusion_matrix(name, count):
  figure = confusion.draw_confusion(np.eye(count, dtype=int), [name] * count)
  with warnings.catch_warnings():
    warnings.simplefilter('error')
    figure.canvas.draw()
  width, height = figure.get_size_inches()
  area = figure.axes[0].get_position()
  assert area.width * width >= 0.3 * count
  assert area.height * height >= 0.3 * count


def test_plain_lines_keeps_line_breaks():
  assert text.plain_lines('a$\nb') == 'a\\$\nb'


def draw_all(names):
  count, title = len(names), ' '.join(names)
  yield samples.draw_samples(np.stack([PIXELS] * count), names, title)
  yield confusion.draw_confusion(np.eye(count, dtype=int), names)
  yield predictions.draw_bar_chart(PIXELS, names, [0.1] * count, title)
  panels = [heat_maps.HeatMap(name, np.ones([2, 2]), 0, 4, 'unit') for name in names]
  yield heat_maps.draw_heat_maps(PIXELS, panels, title)
  yield curves.draw_history({name: curves.History(CURVE, CURVE) for name in names})


@pytest.mark.parametrize('fonts', ['installed', 'DejaVu Sans only'])
def test_every_figure_draws_any_name_without_warnings(tmp_path, request, fonts):
  if fonts != 'installed':
    request.getfixturevalue('only_dejavu')
  with warnings.catch_warnings():
    warnings.simplefilter('error')
    for figure in draw_all(NAMES):
      figure.savefig(tmp_path / 'figure.png')


def test_a_font_with_the_glyphs_is_used():
  drawable = [character for character in '猫अก한' if len(text.families(character)) > 1]
  if not drawable:
    pytest.skip('no installed font has glyphs that DejaVu Sans lacks')
  assert text.plain(drawable[0]) == drawable[0]
  artist = samples.draw_samples(PIXELS[np.newaxis], drawable[:1]).axes[0].title
  assert artist.get_fontfamily() == text.families(drawable[0])


def test_simplified_chinese_forms_come_first_and_medium_weights_are_used():
  """Names and weights are those of Debian's fonts-noto-cjk and fonts-wqy-zenhei."""
  entries = [
    font_manager.FontEntry(fname='font.ttc', name=name, style=style, weight=weight)
    for name, style, weight in (
      ('WenQuanYi Zen Hei', 'normal', 500),
      ('Noto Sans CJK SC', 'normal', 400),
      ('Noto Sans CJK JP', 'normal', 400),
      ('Noto Sans CJK HK', 'normal', 400),
      ('Noto Sans CJK SC', 'normal', 700),
      ('Noto Sans CJK SC', 'italic', 400),
      ('STIXGeneral', 'normal', 400),
    )
  ]
  names = [(font.name, font.weight) for font in text._for_text(entries)]
  assert names[0] == ('Noto Sans CJK SC', 400)
  assert names[1:] == [
    ('Noto Sans CJK HK', 400),
    ('Noto Sans CJK JP', 400),
    ('WenQuanYi Zen Hei', 500),
  ]
