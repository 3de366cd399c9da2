"""Additions of `docs/hooks.py` to the site, which `make docs` builds with warnings as errors."""

import importlib.util
import pathlib
import types

import pytest
from mkdocs.exceptions import PluginError

from vgg_slim.commands import installation

ROOT = pathlib.Path(__file__).parents[1]


@pytest.fixture(scope='module')
def hooks():
  spec = importlib.util.spec_from_file_location('hooks', ROOT / 'docs/hooks.py')
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


PAGE = types.SimpleNamespace(file=types.SimpleNamespace(src_uri='index.md'))


@pytest.mark.parametrize(
  'html',
  [
    '<script src="https://unpkg.com/x.js"></script>',
    '<img alt="" src="//example.org/x.png">',
    '<link href="https://fonts.example.org/css" rel="stylesheet">',
    '<link rel="preconnect" href="https://fonts.example.org" crossorigin>',
  ],
)
def test_a_page_that_fetches_from_another_host_stops_the_build(hooks, html):
  with pytest.raises(PluginError, match='index.md fetches from another host'):
    hooks.on_post_page(f'<p>text</p>{html}', PAGE, None)


def test_local_files_and_links_are_accepted(hooks):
  html = '<link rel="stylesheet" href="assets/x.css"><a href="https://example.org">x</a>'
  assert hooks.on_post_page(f'{html}<script src="../x.js"></script>', PAGE, None) is None


def test_empty_sections_are_filled(hooks):
  nav = [{'Start': ['index.md']}, {'Design': ['a.md', {'Decisions': []}, {'More': ['b.md']}]}]
  hooks.on_config(types.SimpleNamespace(nav=nav))
  assert nav[0] == {'Start': ['index.md']}
  page, filled, more = nav[1]['Design']
  assert (page, more) == ('a.md', {'More': ['b.md']})
  index, *pages = filled['Decisions']
  assert index == 'decisions/README.md'
  names = [path.name for path in ROOT.joinpath('docs/decisions').glob('[0-9]*.md')]
  assert pages == sorted(f'decisions/{name}' for name in names)


def test_every_decision_has_a_title_and_a_summary(hooks):
  head, line, *rows = hooks.decision_rows()
  assert len(rows) == len(hooks.decisions()) > 0
  assert head.count('|') == line.count('|') == 3
  assert all(len(row) > 80 and row.count('](') == 1 for row in rows)


def test_the_help_of_a_command_becomes_a_section(hooks, monkeypatch):
  monkeypatch.setattr(installation, 'commands', lambda: ['train'])
  _, _, title, about, flags = hooks.commands_page()
  assert title == '## train'
  assert '\n\n```sh\ntools/train --model=vgg16\n' in about
  assert " --phase='all epochs=10 learning_rate=1e-5'\n" in about
  assert ' --find_learning_rate\n```\n\nWithout --data_dir' in about
  lines = flags.splitlines()
  assert (lines[0], lines[-1]) == ('```text', '```')
  assert '  --learning_rate_decay_type' in lines
  assert 60 < max(map(len, lines)) <= 84


def test_cells_become_markdown(hooks, tmp_path):
  path = tmp_path / 'x.ipynb'
  path.write_text("""{"cells": [
    {"cell_type": "markdown", "source": ["# A\\n", "b"]},
    {"cell_type": "code", "source": ["f()"], "outputs": [
      {"output_type": "stream", "text": ["1\\n", "2\\n"]},
      {"output_type": "display_data", "data": {"image/png": "QQ==\\n", "text/plain": "<Figure>"}},
      {"output_type": "execute_result", "data": {"text/plain": ["3"]}}]}]}""")
  assert hooks.notebook_page(path) == (
    '# A\nb\n\n```python\nf()\n```\n\n```text\n1\n2\n```\n\n'
    '![](data:image/png;base64,QQ==)\n\n```text\n3\n```'
  )
