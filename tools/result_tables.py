"""Evaluations on the terminal, laid out as the VGG paper's tables."""

import sys
from collections.abc import Sequence

from rich import box, console
from rich import table as rich_table

from vgg_slim.evaluation import tables

_WIDTH = 160  # where the output is no terminal
_TEXT_COLUMNS = 4


def print_tables(shown: Sequence[tables.Table]) -> None:
  """Prints each under its title and the paper's number."""
  for one in shown:
    title = f"{one.title} (the paper's Table {one.paper})"
    rows = [tables.cells(line.result) for line in one.lines]
    _print(title, tables.HEADINGS, rows, _TEXT_COLUMNS)


def print_comparisons(comparisons: Sequence[tables.Comparison]) -> None:
  """Prints McNemar's exact test of every two lines; nothing where there are none."""
  headings = ('first', 'second', 'only first right', 'only second right', 'p')
  rows = [
    (
      *tables.describe(one),
      f'{one.test.only_first}',
      f'{one.test.only_second}',
      f'{one.test.p_value:.3g}',
    )
    for one in comparisons
  ]
  if rows:
    _print("McNemar's exact test", headings, rows, text_columns=2)


def _print(
  title: str, headings: Sequence[str], rows: Sequence[Sequence[str]], text_columns: int
) -> None:
  shown = rich_table.Table(box=box.SIMPLE, title=title, title_justify='left')
  for i, heading in enumerate(headings):
    shown.add_column(heading, justify='left' if i < text_columns else 'right')
  for row in rows:
    shown.add_row(*row)
  console.Console(width=None if sys.stdout.isatty() else _WIDTH).print(shown)
