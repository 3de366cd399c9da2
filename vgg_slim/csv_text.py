"""Rows of CSV files that spreadsheet programs may open. No TensorFlow."""

import csv
import io
from collections.abc import Iterable, Sequence

# A spreadsheet program takes a cell that starts with one of these for a formula, and runs it.
_FORMULA_STARTS = ('=', '+', '-', '@', '\t')
_QUOTE = "'"  # what spreadsheet programs put before text that looks like a formula


def format_rows(rows: Iterable[Sequence[object]]) -> str:
  """Formats rows as CSV text.

  Cells that look like formulas and are not numbers get a quote in front. A carriage return in a
  cell, which the csv module would leave unquoted, is written as `\\r`.
  """
  stream = io.StringIO(newline='')
  writer = csv.writer(stream, lineterminator='\n')
  writer.writerows([_quote(cell) for cell in row] for row in rows)
  return stream.getvalue()


def _quote(cell: object) -> object:
  if not isinstance(cell, str):
    return cell
  cell = cell.replace('\r', '\\r')
  is_formula = cell.startswith(_FORMULA_STARTS) and not _is_number(cell)
  return _QUOTE + cell if is_formula else cell


def _is_number(text: str) -> bool:
  try:
    float(text)
  except ValueError:
    return False
  return True
