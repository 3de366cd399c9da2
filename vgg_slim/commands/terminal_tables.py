"""Tables on the terminal that never truncate a name or a number."""

import itertools
import re
import sys
from collections.abc import Sequence

from rich import box, cells, console, table

from vgg_slim import terminal

_GAPS = (2, 1)  # spaces between columns; the first that lets them fit
# A cell may be wrapped after a space, semicolon or plus sign, and if need be after a slash.
_PIECE = re.compile(r'[^ ;+]*[ ;+]*')
_SMALL_PIECE = re.compile(r'[^ ;+/]*[ ;+/]*')


def print_table(
  headings: Sequence[str],
  rows: Sequence[Sequence[str]],
  title: str | None = None,
  text_columns: int = 1,
) -> None:
  """Prints rows of cells under headings.

  If they are too wide for the terminal, headings are wrapped, then cells, and then columns move
  together; if that is not enough, each row is printed as a list of headings and cells. Files and
  pipes are as wide as the rows.

  Args:
    headings: headings of the columns.
    rows: one cell per heading in each row.
    title: line above the table.
    text_columns: number of columns, from the left, that are left-aligned; the others hold numbers.
  """
  columns = list(zip(headings, *rows, strict=True))
  total = terminal.columns() if sys.stdout.isatty() else None
  for gap in _GAPS:
    if widths := _fit(columns, total, gap):
      break
  else:
    _print_lists(headings, rows, title)
    return
  shown = table.Table(
    box=box.SIMPLE,
    show_edge=False,
    pad_edge=False,
    padding=(0, gap - 1, 0, 0),
  )
  wrapped = [_wrap(heading, width) for heading, width in zip(headings, widths, strict=True)]
  height = max(heading.count('\n') for heading in wrapped)
  for i, heading in enumerate(wrapped):
    above = '\n' * (height - heading.count('\n'))
    shown.add_column(above + heading, justify='left' if i < text_columns else 'right')
  for row in rows:
    shown.add_row(*map(_wrap, row, widths))
  print(f'\n{title}\n' if title else '')
  # Rich itself omits colors in files and pipes.
  width = sum(widths) + gap * len(widths)
  console.Console(width=width, markup=False).print(shown)


def _fit(columns: Sequence[Sequence[str]], width: int | None, gap: int) -> list[int] | None:
  """Returns column widths that fit into `width`; None if the columns cannot be that narrow."""
  natural = [max(map(cells.cell_len, column)) for column in columns]
  if width is None:
    return natural
  left = width - gap * (len(columns) - 1)
  only_headings = [
    max(_narrowest(heading), *map(cells.cell_len, column)) if column else _narrowest(heading)
    for heading, *column in columns
  ]
  narrowest = [max(map(_narrowest, column)) for column in columns]
  smallest = [max(_narrowest(text, _SMALL_PIECE) for text in column) for column in columns]
  for most, least in itertools.pairwise((natural, only_headings, narrowest, smallest)):
    if sum(least) <= left:
      return _between(most, least, left)
  return None


def _between(most: Sequence[int], least: Sequence[int], left: int) -> list[int]:
  """Narrows the widest column until all fit."""
  widths = list(most)
  while sum(widths) > left:
    i = max(range(len(widths)), key=lambda i: (widths[i] > least[i], widths[i]))
    widths[i] -= 1
  return widths


def _narrowest(text: str, piece: re.Pattern[str] = _PIECE) -> int:
  return max(cells.cell_len(part.rstrip()) for part in piece.findall(text))


def _wrap(text: str, width: int) -> str:
  lines = ['']
  pieces = _PIECE if _narrowest(text) <= width else _SMALL_PIECE
  for piece in pieces.findall(text):
    if cells.cell_len((lines[-1] + piece).rstrip()) > width:
      lines.append('')
    lines[-1] += piece
  return '\n'.join(line.rstrip() for line in lines)


def _print_lists(headings: Sequence[str], rows: Sequence[Sequence[str]], title: str | None) -> None:
  if title:
    print(f'\n{title}')
  width = max(map(len, headings))
  for row in rows:
    print()
    for heading, cell in zip(headings, row, strict=True):
      print(f'{heading:{width}}  {cell}')
