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
