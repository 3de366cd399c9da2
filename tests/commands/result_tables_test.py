import re
import sys

import pytest

from tests.evaluation.fabricated import probabilities_of, scored_checkpoint
from vgg_slim.commands import result_tables
from vgg_slim.evaluation import tables

PASSES = {('dense', 256): probabilities_of([0, 1, 2, 0])}


@pytest.mark.parametrize(('num_classes', 'is_shown'), [(5, False), (6, True)])
def test_the_top_5_error_is_shown_where_it_can_be_wrong(capsys, num_classes, is_shown):
  shown = tables.make_tables([scored_checkpoint(PASSES, [0, 1, 2, 1], ('dense',), 'd')])
  result_tables.print_tables(shown, num_classes)
  output = capsys.readouterr().out
  assert ('top-5' in output) == is_shown
  assert '25.00%' in output
  assert 'S and Q are the smaller sides' in output


def printed(capsys, monkeypatch, predicted, labels):
  """Words of the headings, and the cells, on a terminal of 80 columns."""
  monkeypatch.setattr(sys.stdout, 'isatty', lambda: True)
  monkeypatch.setenv('COLUMNS', '80')
  scores = {('dense', 64): probabilities_of(predicted)}
  result_tables.print_tables(tables.make_tables([scored_checkpoint(scores, labels, ('dense',))]), 3)
  lines = re.sub(r'\x1b\[[0-9;]*m', '', capsys.readouterr().out).splitlines()
  rule = next(i for i, line in enumerate(lines) if '─' in line)
  assert max(map(len, lines[: rule + 3])) <= 80
  return ' '.join(lines[3:rule]).split(), ' '.join(lines[rule + 1 : rule + 3]).split()


def test_balanced_accuracy_and_f1_fit_on_80_columns(capsys, monkeypatch):
  words, cells = printed(capsys, monkeypatch, [0] * 9 + [1], [0] * 8 + [1, 1])
  assert {'balanced', 'macro', 'F1'} <= set(words)
  assert {'90.00%', '75.00%', '10.00%', '0.804'} <= set(cells)


def test_columns_that_repeat_the_accuracy_are_left_out(capsys, monkeypatch):
  words, cells = printed(capsys, monkeypatch, [0, 1, 2, 0], [0, 1, 2, 0])
  assert not {'balanced', 'macro'} & set(words)
  assert {'100.00%', '0.00%'} <= set(cells)
