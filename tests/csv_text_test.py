import csv
import io

import pytest

from vgg_slim import csv_text


@pytest.mark.parametrize('name', ['=1+1', '+a.jpg', '-a.jpg', '@SUM(A1)', '\t=1'])
def test_text_that_looks_like_a_formula_is_quoted(name):
  (row,) = csv.reader(io.StringIO(csv_text.format_rows([('a', name)]), newline=''))
  assert row == ['a', "'" + name]


def test_numbers_and_other_text_stay_as_they_are():
  rows = [['-1.5', '+2', -3, 0.25, 'cat=1', 'a,b', '"', "'x", '']]
  (got,) = csv.reader(io.StringIO(csv_text.format_rows(rows)))
  assert got == ['-1.5', '+2', '-3', '0.25', 'cat=1', 'a,b', '"', "'x", '']


def test_a_carriage_return_does_not_end_a_row():
  assert csv_text.format_rows([('a\rb', 1)]) == 'a\\rb,1\n'


def test_lines_end_in_a_line_feed():
  assert csv_text.format_rows([('file', 'class'), ('x', 'y')]) == 'file,class\nx,y\n'
