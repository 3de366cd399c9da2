import os
import sys

import pytest

from vgg_slim.commands import prediction_rows
from vgg_slim.evaluation.predictions import ClassScore, Prediction

LONG = 'great white shark, white shark, man-eater, man-eating shark'
SHORT = Prediction('a.jpg', (ClassScore(0, 'cat', 0.75), ClassScore(1, '狗', 0.25)))


def shown(monkeypatch, capsys, width, files, names, predictions):
  if width:
    monkeypatch.setattr(sys.stdout, 'isatty', lambda: True)
    monkeypatch.setenv('COLUMNS', str(width))
  printer = prediction_rows.Printer(files, names, top=2)
  for prediction in predictions:
    printer.print(prediction)
  return capsys.readouterr().out


@pytest.mark.parametrize('width', [None, 80])
def test_short_names_are_printed_as_a_table(monkeypatch, capsys, width):
  lines = shown(monkeypatch, capsys, width, ['a.jpg', 'bcd.jpg'], ['cat', '狗'], [SHORT, SHORT])
  assert lines.splitlines() == [
    'image    class 1       %  class 2       %',
    'a.jpg    cat       75.0%  狗        25.0%',
    'a.jpg    cat       75.0%  狗        25.0%',
  ]


def test_long_names_are_printed_below_the_file_and_never_truncated(monkeypatch, capsys):
  prediction = Prediction('photos/a.jpg', (ClassScore(0, LONG, 0.875), ClassScore(1, 'cat', 0.1)))
  text = shown(monkeypatch, capsys, 80, ['photos/a.jpg'], [LONG, 'cat'], [prediction])
  assert text.splitlines() == ['photos/a.jpg', f'   87.5%  {LONG}', '   10.0%  cat']
  assert max(map(len, text.splitlines())) <= 80


def test_each_image_is_one_line_in_a_pipe(monkeypatch, capsys):
  prediction = Prediction('photos/a.jpg', (ClassScore(0, LONG, 0.875), ClassScore(1, 'cat', 0.1)))
  text = shown(monkeypatch, capsys, None, ['photos/a.jpg'], [LONG, 'cat'], [prediction])
  _, line = text.splitlines()
  assert line.split('  ')[0] == 'photos/a.jpg'
  assert f'{LONG}   87.5%  cat ' in line


def test_a_file_name_that_is_not_utf8_is_escaped(monkeypatch, capsys):
  name = os.fsdecode(b'\xff.jpg')
  text = shown(monkeypatch, capsys, None, [name], [], [Prediction(name, SHORT.top)])
  assert '\\udcff.jpg' in text


@pytest.mark.parametrize('width', [None, 20, 80])
def test_line_breaks_in_names_do_not_break_the_table(monkeypatch, capsys, width):
  prediction = Prediction('two\nlines.jpg', SHORT.top)
  text = shown(monkeypatch, capsys, width, ['two\nlines.jpg'], ['cat', '狗'], [prediction])
  assert len(text.splitlines()) == (3 if width == 20 else 2)
  assert '\ntwo\\nlines.jpg' in f'\n{text}'
