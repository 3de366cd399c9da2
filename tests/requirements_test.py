"""Every package that this project installs by a file is pinned to the bytes that were published."""

import re

import pytest

from tests import imports

FOLDER = imports.ROOT / 'third_party' / 'requirements'
LOCKS = (imports.ROOT / 'requirements_lock.txt', FOLDER / 'extras.txt', FOLDER / 'beam.txt')


@pytest.mark.parametrize('path', LOCKS, ids=lambda path: path.name)
def test_every_package_has_one_version_and_the_hashes_of_its_files(path):
  text = path.read_text(encoding='utf-8').replace('\\\n', '')
  rows = [row for row in text.splitlines() if row and not row.startswith('#')]
  assert len(rows) >= 6
  for row in rows:
    assert re.fullmatch(r'[a-z0-9.-]+==[\w.+!]+( ; .*?)?( +--hash=sha256:[0-9a-f]{64})+', row), row


def test_files_are_installed_only_by_their_hashes():
  for name in ('tools/make_venv.sh', 'Dockerfile', '.ci/run'):
    path = imports.ROOT / name
    if not path.exists():  # not part of the source distribution
      continue
    script = path.read_text(encoding='utf-8').replace('\\\n', ' ')
    lines = [
      line for line in script.splitlines() if re.search(r'pip install .*-r |-r \$lock', line)
    ]
    assert lines
    assert all('--require-hashes' in line for line in lines), name


@pytest.mark.parametrize('name', ['extras', 'beam'])
def test_locks_hold_what_they_are_made_from(name):
  def packages(suffix):
    lines = (FOLDER / f'{name}.{suffix}').read_text(encoding='utf-8').splitlines()
    found = (re.match(r'([\w.-]+)(==\S+)?', line) for line in lines)
    return {(m[1].lower(), m[2]) for m in found if m}

  locked = packages('txt')
  names = {package for package, _ in locked}
  for package, pin in packages('in'):
    assert (package, pin) in locked if pin else package in names
