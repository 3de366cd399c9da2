import re
import sys

import pytest

from vgg_slim.commands.terminal_tables import print_table

HEADINGS = ('network', 'S', 'Q', 'view', 'top-1 error', '95 % interval', 'images/s')
ROW = (
  'resnet_v1_50 + vgg16_bn',
  '[256;512]',
  '256, 384, 512',
  'dense+multi_crop',
  '13.06%',
  '10.06% - 16.94%',
  '12.5',
)


def printed(monkeypatch, capsys, width, *arguments, **options):
  if width:
    monkeypatch.setattr(sys.stdout, 'isatty', lambda: True)
    monkeypatch.setenv('COLUMNS', str(width))
  print_table(*arguments, **options)
  text = re.sub(r'\x1b\[[0-9;]*m', '', capsys.readouterr().out)
  return [line.rstrip() for line in text.splitlines() if line.strip()]


def test_text_is_left_aligned_and_numbers_right_aligned(monkeypatch, capsys):
  text = '[red]' * 25  # not markup for a color, and wider than a terminal
  rows = [('a', '1.5'), (text, '12.5')]
  title, headings, _, first, second = printed(
    monkeypatch, capsys, None, ('name', 'ms'), rows, title='times'
  )
  assert title == 'times'
  assert headings.split() == ['name', 'ms']
  assert second == f'{text}  12.5'
  assert first == f'{"a":{len(text)}}   1.5'


def test_nothing_is_truncated_at_80_columns(monkeypatch, capsys):
  lines = printed(monkeypatch, capsys, 80, HEADINGS, [ROW], text_columns=4)
  assert max(map(len, lines)) <= 80
  first = next(i for i, line in enumerate(lines) if line.startswith('─')) + 1
  assert lines[first].startswith('resnet_v1_50 +')
  assert lines[first].endswith('12.5')  # numbers are in the first line of their row
  text = ' '.join(lines)
  for part in (
    'resnet_v1_50 +',
    'vgg16_bn',
    '[256;',
    '384,',
    'multi_crop',
    '13.06%',
    '16.94%',
    '12.5',
  ):
    assert part in text


@pytest.mark.parametrize('width', [None, 120])
def test_a_row_that_fits_is_one_line(monkeypatch, capsys, width):
  lines = printed(monkeypatch, capsys, width, HEADINGS, [ROW], text_columns=4)
  assert tuple(re.split(' {2,}', lines[-1])) == ROW


def test_headings_are_wrapped_before_cells(monkeypatch, capsys):
  headings, row = ('a long heading', 'b'), ('some text', '1')
  lines = printed(monkeypatch, capsys, 13, headings, [row])
  assert lines[-1] == 'some text  1'
  assert [line.strip() for line in lines[:2]] == ['a long', 'heading    b']


def test_numbers_are_never_wrapped(monkeypatch, capsys):
  lines = printed(
    monkeypatch, capsys, 24, ('layer', 'parameters'), [('conv1/conv1_1', '138,357,544')]
  )
  assert any(line.endswith('138,357,544') for line in lines)


def test_names_are_divided_at_slashes_before_rows_become_lists(monkeypatch, capsys):
  name = 'block1/unit_1/bottleneck_v1/shortcut'
  lines = printed(monkeypatch, capsys, 40, ('layer', 'parameters'), [(name, '1,234,567')])
  assert ''.join(line.split()[0] for line in lines[2:]) == name
  lines = printed(monkeypatch, capsys, 28, ('layer', 'parameters'), [(name, '1,234,567')])
  assert ''.join(line.split()[0] for line in lines[2:]) == name
  assert max(map(len, lines)) <= 28


def test_a_file_is_as_wide_as_its_rows(monkeypatch, capsys):
  lines = printed(monkeypatch, capsys, None, ('file', 'class'), [('x/y ' * 60 + 'z', '12.5')])
  assert lines[-1] == 'x/y ' * 60 + 'z   12.5'


@pytest.mark.parametrize('columns', [60, 80, 120, 200])
def test_tables_fit_and_have_no_colors_where_they_are_not_wanted(monkeypatch, capsys, columns):
  monkeypatch.setattr(sys.stdout, 'isatty', lambda: True)
  monkeypatch.setenv('COLUMNS', str(columns))
  monkeypatch.setenv('NO_COLOR', '1')
  monkeypatch.setenv('TERM', 'xterm-256color')
  print_table(HEADINGS, [ROW, ROW], text_columns=4)
  text = capsys.readouterr().out
  assert '38;' not in text  # no color; bold headings are none
  lines = re.sub(r'\x1b\[[0-9;]*m', '', text).splitlines()
  assert max(len(line.rstrip()) for line in lines) <= columns
  words = ' '.join(lines)
  for number in ('13.06%', '16.94%', '12.5', '384,'):
    assert words.count(number) == 2


def test_columns_move_together_before_rows_become_lists(monkeypatch, capsys):
  row = ('vgg16_bn@8', '256', '384', 'multi_crop', *['12.34%'] * 6, '12.34% - 15.02%')
  headings = ('network', 'S', 'Q', 'view', *['error'] * 6, '95 % interval')
  narrowest = [10, 3, 3, 10, *[6] * 6, 8]
  for gap in (2, 1):
    width = sum(narrowest) + gap * (len(narrowest) - 1)
    lines = printed(monkeypatch, capsys, width, headings, [row], text_columns=4)
    assert lines[-2].split(' ' * gap)[:3] == ['vgg16_bn@8', '256', '384']
    assert max(map(len, lines)) <= width
  lines = printed(monkeypatch, capsys, width - 1, headings, [row], text_columns=4)
  assert lines[-1].split() == ['95', '%', 'interval', '12.34%', '-', '15.02%']


def test_rows_become_lists_if_the_table_does_not_fit(monkeypatch, capsys):
  lines = printed(monkeypatch, capsys, 30, HEADINGS, [ROW, ROW], title='Views')
  assert lines[0] == 'Views'
  assert lines.count('view           dense+multi_crop') == 2
