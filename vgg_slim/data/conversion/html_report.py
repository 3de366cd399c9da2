"""Tables and figures as one self-contained HTML file. No TensorFlow."""

import base64
import html
from collections.abc import Sequence
from typing import NamedTuple

MAX_NAMES = 50  # longer lists are cut and end in the number of names left out

_STYLE = """
body { font: 15px/1.5 sans-serif; margin: 2em auto; max-width: 75em; padding: 0 1em; }
table { border-collapse: collapse; }
td, th { border-bottom: 1px solid #ccc; padding: 0.2em 0.8em; text-align: left; }
td { vertical-align: top; }
th.number, td.number { text-align: right; }
td.number { white-space: nowrap; }
.bar { background: #4878a8; height: 0.9em; min-width: 1px; }
td.bars { min-width: 12em; }
figure { display: inline-block; margin: 0.2em; vertical-align: top; }
img { image-rendering: pixelated; object-fit: contain; width: 100%; }
figcaption { font-size: 10px; line-height: 1.3; min-height: 2.8em; overflow-wrap: anywhere; }
"""


class Bar(NamedTuple):
  """A cell with a bar; `share` is its fraction of the full width, in [0, 1]."""

  share: float


class Number(NamedTuple):
  """A cell with a formatted number, such as '7.22 %'."""

  text: str


Cell = str | int | Bar | Number


class Table(NamedTuple):
  """A table; a heading is aligned like the cells below it."""

  headings: Sequence[str]
  rows: Sequence[Sequence[Cell]]


class Figure(NamedTuple):
  """Content of a JPEG or PNG file, its caption, and its displayed width in pixels."""

  image: bytes
  caption: str
  width: int = 80


class Section(NamedTuple):
  """One heading of the report and the content below it."""

  title: str
  text: str = ''
  table: Table | None = None
  figures: Sequence[Figure] = ()


def render(sections: Sequence[Section], title: str) -> str:
  """Returns the HTML text; characters that cannot be encoded as UTF-8 are escaped."""
  parts = [
    '<!DOCTYPE html>\n<html lang="en">\n<meta charset="utf-8">',
    f'<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>\n<h1>{html.escape(title)}</h1>',
    *(_section(section) for section in sections),
  ]
  return '\n'.join(parts).encode('utf-8', errors='backslashreplace').decode() + '\n'


def join_names(names: Sequence[str], full_list: str | None = None) -> str:
  """Joins the first MAX_NAMES names, and says how many more there are and in which file."""
  text = ', '.join(names[:MAX_NAMES])
  if len(names) <= MAX_NAMES:
    return text
  return f'{text} and {len(names) - MAX_NAMES} more' + (f', see {full_list}' if full_list else '')


def _section(section: Section) -> str:
  parts = [f'<h2>{html.escape(section.title)}</h2>']
  if section.text:
    parts.append(f'<p>{html.escape(section.text)}</p>')
  if section.table:
    parts.append(_table(section.table))
  parts += [_figure(figure) for figure in section.figures]
  return '\n'.join(parts)


def _table(table: Table) -> str:
  first = table.rows[0] if table.rows else ()
  headings = ''.join(map(_heading, table.headings, [*first, *[''] * len(table.headings)]))
  rows = '\n'.join(f'<tr>{"".join(map(_cell, row))}</tr>' for row in table.rows)
  return f'<table>\n<tr>{headings}</tr>\n{rows}\n</table>'


def _heading(heading: str, cell: Cell) -> str:
  """A heading, aligned like `cell`, which stands below it."""
  kind = ' class="number"' if isinstance(cell, int | Number) else ''
  return f'<th{kind}>{html.escape(heading)}</th>'


def _cell(cell: Cell) -> str:
  if isinstance(cell, Bar):
    return f'<td class="bars"><div class="bar" style="width:{100 * cell.share:.1f}%"></div></td>'
  if isinstance(cell, Number):
    return f'<td class="number">{html.escape(cell.text)}</td>'
  if isinstance(cell, int):
    return f'<td class="number">{cell}</td>'
  return f'<td>{html.escape(cell)}</td>'


def _figure(figure: Figure) -> str:
  kind = 'png' if figure.image.startswith(b'\x89PNG') else 'jpeg'
  data = base64.b64encode(figure.image).decode()
  caption = html.escape(figure.caption)
  return (
    f'<figure style="width:{figure.width}px">'
    # A narrow image would otherwise become many times as high as it is wide.
    f'<img style="max-height:{figure.width}px" '
    f'src="data:image/{kind};base64,{data}" alt="{caption}" title="{caption}">'
    f'<figcaption>{caption}</figcaption></figure>'
  )
