"""Evaluations on the terminal, laid out like the VGG paper's tables."""

from collections.abc import Sequence

from vgg_slim import terminal
from vgg_slim.commands import terminal_tables
from vgg_slim.evaluation import tables

# Left out where all classes weigh the same already: the balanced accuracy is then the accuracy.
_OF_EQUAL_CLASSES = ('balanced accuracy', 'macro F1')
_TOP_5 = tables.HEADINGS[tables.TOP_5_COLUMNS[0]]
# The numbers of images and views are mostly equal in all lines; report and JSON contain them.
_HEADINGS = (
  'network',
  'S',
  'Q',
  'view',
  'top-1 accuracy',
  *_OF_EQUAL_CLASSES,
  'top-1 error',
  '95 % interval',
  _TOP_5,
  'images/s',
)
_TEXT_COLUMNS = 4
_LEGEND = (
  'S and Q are the smaller sides of training and test images, in pixels. The interval is that of '
  'the top-1 error: the error on all images of this kind is within it with 95 % confidence.'
)


def print_tables(shown: Sequence[tables.Table], num_classes: int) -> None:
  """Prints each table under its title and its number in the paper, and what the columns mean.

  Args:
    shown: tables to print.
    num_classes: number of classes of the network; with up to five, the top-5 error is always 0 and
      is left out.
  """
  results = [line.result for table in shown for line in table.lines]
  left_out: tuple[str, ...] = () if tables.has_top_5(num_classes) else (_TOP_5,)
  if all(tables.is_balanced(result) for result in results):
    left_out += _OF_EQUAL_CLASSES
  headings = [name for name in _HEADINGS if name not in left_out]
  columns = [tables.HEADINGS.index(heading) for heading in headings]
  for table in shown:
    title = f"{table.title} (the paper's Table {table.paper})"
    lines = [tables.cells(line.result) for line in table.lines]
    rows = [[cells[i] for i in columns] for cells in lines]
    terminal_tables.print_table(headings, rows, title, _TEXT_COLUMNS)
  terminal.show(_LEGEND)


def print_comparisons(comparisons: Sequence[tables.Comparison]) -> None:
  """Prints McNemar's exact test of each pair of lines; nothing if there are no pairs."""
  headings = ('first', 'second', 'only first right', 'only second right', 'p')
  rows = [
    (
      *tables.describe(comparison),
      f'{comparison.test.only_first}',
      f'{comparison.test.only_second}',
      f'{comparison.test.p_value:.3g}',
    )
    for comparison in comparisons
  ]
  if rows:
    terminal_tables.print_table(headings, rows, "McNemar's exact test", text_columns=2)
    terminal.show('p is the probability of a difference at least this large by chance alone.')
