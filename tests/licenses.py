"""Writes docs/licenses.md: the license of every package of requirements_lock.txt.

    python -m tests.licenses      (or `make licenses`)

Licenses are those that the installed packages state. `tests/licenses_test.py` compares the page.
"""

import email.message
import importlib.metadata
import re
from typing import cast

from tests import imports

PAGE = imports.ROOT / 'docs' / 'licenses.md'
# Packages that state no license in a field, or are not installed on Linux with Python 3.11; all as
# in their files on PyPI.
_STATED_ELSEWHERE = {
  'appnope': 'BSD-2-Clause',
  'cffi': 'MIT-0',
  'decorator': 'BSD-2-Clause',
  'exceptiongroup': 'MIT',
  'namex': 'Apache-2.0',
  'pycparser': 'BSD-3-Clause',
  'tomli': 'MIT',
}
_APACHE = ('Apache 2.0', 'Apache License 2.0', 'Apache Software License')
_SPELLINGS = {**dict.fromkeys(_APACHE, 'Apache-2.0'), 'MIT License': 'MIT', 'BSD License': 'BSD'}
_LONGEST = 60  # characters; some packages have the whole text in the field
_HEAD = """# Licenses of dependencies

vgg_slim is under the Apache License 2.0. These are the licenses of the packages in
`requirements_lock.txt`, as each package states them. `make licenses` writes this page, which a test
compares with the installed packages. `make sbom` writes the versions of all installed packages as a
CycloneDX bill of materials.
"""
_GROUPS = (
  ('Needed to run', 'Installed by `pip install .`.'),
  (
    'Needed for development',
    'Tests, checks and pages; on some systems or versions of Python only.',
  ),
)


def page() -> str:
  """Returns the content of the page."""
  needed = _needed_to_run()
  names = sorted(name.replace('_', '-') for name in imports.read_locked_packages())
  parts = [_HEAD]
  for (title, text), is_needed in zip(_GROUPS, (True, False), strict=True):
    rows = [f'| {n} | {license_of(n)} |' for n in names if (n in needed) == is_needed]
    parts += [f'## {title}\n', f'{text}\n', '| package | license |\n|---|---|', *rows, '']
  return '\n'.join(parts)


def license_of(name: str) -> str:
  """Returns the license that an installed package states."""
  if name in _STATED_ELSEWHERE:
    return _STATED_ELSEWHERE[name]
  metadata = cast(email.message.Message, importlib.metadata.metadata(name))
  fields = [metadata.get('License-Expression'), metadata.get('License')]
  classifiers = metadata.get_all('Classifier') or ()
  fields += [c.rpartition(' :: ')[2] for c in classifiers if c.startswith('License :: OSI')]
  short = (field for field in fields if field and field != 'UNKNOWN' and len(field) <= _LONGEST)
  text = next(short)
  return _SPELLINGS.get(text, text)


def _needed_to_run() -> set[str]:
  """Names of the dependencies and of all that they need in this environment, with hyphens."""
  import tomllib  # type: ignore[import-not-found]  # since Python 3.11
  from packaging.requirements import Requirement

  settings = tomllib.loads((imports.ROOT / 'pyproject.toml').read_text(encoding='utf-8'))
  found: set[str] = set()
  left = [Requirement(text) for text in settings['project']['dependencies']]
  while left:
    requirement = left.pop()
    name = re.sub('[-_.]+', '-', requirement.name).lower()
    if name in found or (requirement.marker and not requirement.marker.evaluate({'extra': ''})):
      continue
    found.add(name)
    left += map(Requirement, importlib.metadata.requires(name) or ())
  return found


def main() -> None:
  PAGE.write_text(page(), encoding='utf-8')
  print(PAGE.relative_to(imports.ROOT))


if __name__ == '__main__':
  main()
