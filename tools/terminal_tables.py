"""Tables on the terminal."""

import sys
from collections.abc import Sequence

from rich import box, console, table

_WIDTH_OF_FILES = 160


def print_table(
  headings: Sequence[str],
  rows: Sequence[Sequence[str]],
  title: str | None = None,
  text_columns: int = 1,
) -> None:
  """Prints rows of cells under headings.

  Args:
    headings: of the columns.
    rows: as many cells each.
    title: above them.
    text_columns: so many of the first columns begin at the left; the others are numbers.
  """
  shown = table.Table(box=box.SIMPLE, title=title, title_justify='left')
  for i, heading in enumerate(headings):
    shown.add_column(heading, justify='left' if i < text_columns else 'right')
  for row in rows:
    shown.add_row(*row)
  # In a file or a pipe no line is cut or wrapped; rich leaves colours out there by itself.
  width = None if sys.stdout.isatty() else _WIDTH_OF_FILES
  console.Console(width=width, markup=False).print(shown)
