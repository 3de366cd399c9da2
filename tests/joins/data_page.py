"""The tables of layouts and kinds of files in docs/how-to/data.md, made from the rows of the tests.

  python -m tests.joins.data_page

writes them again after a row has changed.
"""

import pathlib
import re

from tests.joins.layout_rows import ARCHIVES, ARRAYS, FOLDERS, LISTS
from tests.joins.layouts import Layout
from tests.joins.odd_files import IGNORED, KEPT, ODD_FILES
from vgg_slim.wording import counted, printable

PAGE = pathlib.Path(__file__).parents[2] / 'docs' / 'how-to' / 'data.md'
_LAYOUT_TABLES = {'Folders': FOLDERS, 'Archives': ARCHIVES, 'Lists': LISTS, 'Arrays': ARRAYS}
_FILES = 'Kinds of files'


def render() -> str:
  """The page with tables made from the rows."""
  text = PAGE.read_text(encoding='utf-8')
  for heading, rows in _LAYOUT_TABLES.items():
    lines = [f'| {row.about} | {_layout_outcome(row)} |' for row in rows]
    text = _replace_table(text, heading, '| layout | what the converter does |', lines)
  lines = [f'| {outcome} | {files} |' for outcome, files in _files_by_outcome().items()]
  return _replace_table(text, _FILES, '| outcome | files |', lines)


def _layout_outcome(row: Layout) -> str:
  if isinstance(row.outcome, str):
    return f'stops: "{row.outcome}"'
  splits = [f'{name} {sum(classes.values())}' for name, classes in row.outcome.items()]
  classes = row.outcome['train']
  said = f'; says "{row.says}"' if row.says else ''
  return f'{counted(len(classes), "class")}; {", ".join(splits)}{said}'


def _files_by_outcome() -> dict[str, str]:
  files: dict[str, list[str]] = {}
  for name, (_, outcome) in ODD_FILES.items():
    files.setdefault(_file_outcome(outcome), []).append(f'`{printable(name)}`')
  return {outcome: ', '.join(names) for outcome, names in files.items()}


def _file_outcome(outcome: str | tuple[str, ...]) -> str:
  if outcome == KEPT:
    return 'kept as it is'
  if outcome == IGNORED:
    return 'passed over: not an image by extension or content, or hidden'
  kind, *texts = list(outcome)
  return (
    f'{kind}: {"; ".join(texts)}' if texts != ['.'] else f'{kind}: the reason that Pillow gives'
  )


def _replace_table(text: str, heading: str, columns: str, lines: list[str]) -> str:
  table = '\n'.join([columns, '|---|---|', *lines])
  pattern = rf'(?ms)(^## {re.escape(heading)}\n.*?)^\|.*?(?=\n\n|\n\Z)'
  replaced, count = re.subn(pattern, lambda match: match[1] + table, text, count=1)
  if not count:
    raise ValueError(f'{PAGE} has no table below {heading!r}.')
  return replaced


if __name__ == '__main__':
  PAGE.write_text(render(), encoding='utf-8')
