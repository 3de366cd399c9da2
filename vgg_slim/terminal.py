"""The width of the terminal, and text that fits it. No TensorFlow."""

import os
import sys
import textwrap
from collections.abc import Mapping, Sequence
from typing import TextIO

COLUMNS = 80  # where there is no terminal


def columns(stream: TextIO | None = None) -> int:
  """Returns the number of characters of a line: of $COLUMNS, of the terminal, or 80 elsewhere.

  Args:
    stream: stream to write to; stdout by default.
  """
  given = os.environ.get('COLUMNS', '')
  if given.isdecimal() and int(given):
    return int(given)
  stream = sys.stdout if stream is None else stream
  try:
    return os.get_terminal_size(stream.fileno()).columns or COLUMNS
  except (OSError, ValueError):  # not a terminal, or not a file
    return COLUMNS


def fold(text: str, stream: TextIO | None = None, indent: str = '  ') -> str:
  """Returns `text` with the lines that the terminal would wrap divided at spaces.

  A word that is longer than a line, such as a path, stays whole. Nothing changes where `stream` is
  not a terminal, so that a message remains one line in files and pipes.

  Args:
    text: one line or several.
    stream: stream that the text is for; stdout by default.
    indent: what the added lines begin with.
  """
  stream = sys.stdout if stream is None else stream
  if not stream.isatty():
    return text
  width = columns(stream)
  return '\n'.join(
    line if len(line) <= width else _divide(line, width, indent) for line in text.split('\n')
  )


def show(text: str) -> None:
  """Prints text, folded."""
  print(fold(text), flush=True)


def fit_fields(fields: Mapping[str, str], dispensable: Sequence[str], width: int) -> str:
  """Returns the fields on one line, with as many of them and as much space as fit.

  Args:
    fields: texts by name.
    dispensable: names of the fields that are left out if need be, in this order.
    width: largest number of characters; a line without all of these fields may be longer.
  """
  shown = dict(fields)
  for dropped in ('', *dispensable):
    shown.pop(dropped, None)
    for gap in ('  ', ' '):
      line = gap.join(shown.values())
      if len(line) <= width:
        return line
  return line


def _divide(line: str, width: int, indent: str) -> str:
  return textwrap.fill(
    line,
    width,
    subsequent_indent=indent,
    break_long_words=False,
    break_on_hyphens=False,
    replace_whitespace=False,
  )
