"""Generates the site's pages beyond those of this folder; MkDocs calls it, see `mkdocs.yml`.

Pages that would only repeat something are generated here: the library's packages, the commands from
their `--help`, the notebook, the list of decisions, and pages at the root of the repository.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from vgg_slim.commands import installation

DOCS = pathlib.Path(__file__).parent
ROOT = DOCS.parent
DECISIONS = 'decisions/README.md'
NOTEBOOK = 'notebook.ipynb'
COLUMNS = 84  # of the text of flags

SUMMARY = re.compile(r'\*\*Summary\.\*\* (.*?)\n\n', re.DOTALL)
EXAMPLES = re.compile(r'(?:^  \S.*\n(?:^   .*\n)*)+', re.MULTILINE)
# Elements that a browser fetches without a click.
FETCHED = re.compile(
  r'<(?:script|img|iframe|source|link)\b[^>]*\b(?:src|href)="(?:https?:)?//[^"]*"'
)


def on_config(config: MkDocsConfig) -> None:
  """Fills the sections of the navigation that `mkdocs.yml` leaves empty."""
  sections = {
    'Library': [f'api/{name}.md' for name in packages()],
    'Decisions': [DECISIONS, *(f'decisions/{path.name}' for path in decisions())],
  }
  for part in config.nav:
    for entries in part.values():
      for entry in entries:
        if isinstance(entry, dict):
          entry.update((title, sections[title]) for title, pages in entry.items() if pages == [])


def on_files(files: Files, config: MkDocsConfig) -> None:
  """Adds the generated pages."""
  pages = {f'api/{name}.md': api_page(name) for name in packages()}
  pages['commands.md'] = '\n\n'.join(commands_page())
  pages['notebook.md'] = notebook_page(DOCS / NOTEBOOK)
  pages['changelog.md'] = ROOT.joinpath('CHANGELOG.md').read_text(encoding='utf-8')
  pages['contributing.md'] = ROOT.joinpath('CONTRIBUTING.md').read_text(encoding='utf-8')
  pages['security.md'] = ROOT.joinpath('SECURITY.md').read_text(encoding='utf-8')
  for path, text in pages.items():
    files.append(File.generated(config, path, content=text))


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
  """Appends the list of decisions, and links to the notebook's page instead of its file."""
  if page.file.src_uri == DECISIONS:
    return markdown + '\n' + '\n'.join(decision_rows())
  return markdown.replace(f'{NOTEBOOK})', 'notebook.md)')


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> None:
  """Refuses a page that would make a browser contact another host.

  Raises:
    PluginError: the page fetches from another host. This ends the build.
  """
  fetched = FETCHED.search(output)
  if fetched:
    raise PluginError(f'{page.file.src_uri} fetches from another host: {fetched[0]}')


def packages() -> list[str]:
  """Returns the names of the packages in `vgg_slim`, and `vgg_slim` for the modules beside them."""
  return ['vgg_slim', *sorted(path.parent.name for path in ROOT.glob('vgg_slim/*/__init__.py'))]


def api_page(name: str) -> str:
  """Returns the page of a package, whose public members mkdocstrings fills in."""
  if name != 'vgg_slim':
    return f'---\ntitle: {name}\n---\n\n::: vgg_slim.{name}'
  modules = sorted(path.stem for path in ROOT.glob('vgg_slim/[a-z]*.py'))
  options = '\n    options:\n      heading_level: 2'
  return '# vgg_slim\n\n' + '\n\n'.join(f'::: vgg_slim.{each}{options}' for each in modules)


def decisions() -> list[pathlib.Path]:
  """Returns the pages of decisions, ordered by number."""
  return sorted(DOCS.glob('decisions/[0-9]*.md'))


def decision_rows() -> Iterator[str]:
  """Yields the rows of the table of decisions: titles and summaries of their pages."""
  yield from ['| decision | in short |', '|---|---|']
  for path in decisions():
    text = path.read_text(encoding='utf-8')
    title = text.partition('\n')[0].removeprefix('# ')
    summary = ' '.join(SUMMARY.search(text)[1].split())
    yield f'| [{title}]({path.name}) | {summary} |'


def commands_page() -> Iterator[str]:
  """Yields the parts of the page of commands: the `--help` of each as a section."""
  yield '# Commands'
  yield (
    'Output of `--help`. All commands exit with 0 (done), 1 (the work failed), 2 (wrong flags), '
    '75 (worth another try) or 130 (interrupted).'
  )
  for name in installation.commands():
    text = subprocess.run(
      [sys.executable, '-m', f'vgg_slim.commands.{name}', '--help'],
      cwd=ROOT,
      env={**os.environ, 'COLUMNS': str(COLUMNS)},
      check=True,
      capture_output=True,
      text=True,
    ).stdout
    about, _, flags = text.partition('\nFlags:\n')
    yield f'## {name}'
    yield EXAMPLES.sub(lambda match: f'```sh\n{textwrap.dedent(match[0])}```\n', about).strip()
    yield f'```text\n{textwrap.dedent(flags).strip()}\n```'


def notebook_page(path: pathlib.Path) -> str:
  """Returns the cells of a notebook as Markdown, with their text and image outputs."""
  parts = []
  for cell in json.loads(path.read_text(encoding='utf-8'))['cells']:
    source = ''.join(cell['source'])
    if cell['cell_type'] == 'markdown':
      parts.append(source)
      continue
    parts.append(f'```python\n{source}\n```')
    for output in cell['outputs']:
      data = output.get('data', {'text/plain': output.get('text', '')})
      if 'image/png' in data:
        parts.append(f'![](data:image/png;base64,{"".join(data["image/png"]).strip()})')
      else:
        parts.append(f'```text\n{"".join(data["text/plain"]).rstrip()}\n```')
  return '\n\n'.join(parts)
