import json
import pathlib
import subprocess
import sys

import pytest

from tests import mutation

MODULE = """
import time

LARGEST = 3


def is_small(value):
  if value == 99:
    return None
  return value < LARGEST
"""
TEST = """
from vgg_slim.pkg import mod


def test_is_small():
  while mod.LARGEST == 4:
    pass
  assert mod.is_small(2)
  assert not mod.is_small(4)
"""


@pytest.fixture
def repository(tmp_path):
  root = tmp_path / 'root'
  for path, text in {
    'vgg_slim/pkg/mod.py': MODULE,
    'vgg_slim/pkg/untested.py': 'x = 1',
    'tests/pkg/mod_test.py': TEST,
  }.items():
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)
  for folder in ('vgg_slim', 'vgg_slim/pkg', 'tests', 'tests/pkg'):
    (root / folder / '__init__.py').touch()
  return root


def measure(root, *arguments):
  """Runs the tool on `root` in its own process, since this one may have open sessions."""
  program = (
    'import sys; from tests import mutation; mutation.PRELOADED = (); mutation.LIMIT_EXTRA = 2; '
    'mutation.main(sys.argv[1:])'
  )
  output = root.parent / 'found.jsonl'
  command = [sys.executable, '-c', program, '--package=pkg', f'--root={root}', f'--output={output}']
  done = subprocess.run(
    [*command, *arguments],
    cwd=mutation.ROOT,
    capture_output=True,
    text=True,
    timeout=300,
    check=False,
  )
  assert done.returncode == 0, done.stderr
  return done.stdout, [json.loads(line) for line in output.read_text().splitlines()]


def test_faults_are_caught_or_survive_or_time_out(repository):
  before = (repository / 'vgg_slim/pkg/mod.py').read_text()
  text, records = measure(repository)
  outcomes = {(record['before'], record['after']): record['outcome'] for record in records}
  assert outcomes == {
    ('LARGEST = 3', 'LARGEST = 4'): 'timeout',
    ('if value == 99:', 'if (value != 99):'): 'caught',
    ('if value == 99:', 'if value == 100:'): 'survived',
    ('return value < LARGEST', 'return (value <= LARGEST)'): 'survived',
    ('return value < LARGEST', 'return (value >= LARGEST)'): 'caught',
    ('return value < LARGEST', 'return None'): 'caught',
  }
  assert '+ return (value <= LARGEST)' in text
  assert '6 mutants: 3 caught, 2 survived, 1 timeout. 66.7% of those that count were' in text
  assert (repository / 'vgg_slim/pkg/mod.py').read_text() == before


def test_a_second_run_continues_and_can_repeat_survivors(repository):
  measure(repository, '--seconds=0')
  _, records = measure(repository)
  assert len(records) == 6
  assert len(measure(repository)[1]) == 6
  assert len(measure(repository, '--again')[1]) == 8


def test_the_sample_depends_on_the_seed_and_has_all_kinds(repository):
  drawn = [mutation.draw(repository, 'pkg', 4, seed) for seed in range(9)]
  assert drawn[0] == mutation.draw(repository, 'pkg', 4, 0)
  assert any(one != drawn[0] for one in drawn)
  # There are two constants and two comparisons.
  for one in drawn:
    assert {m.kind for m in one} == {'boundary', 'comparison', 'constant', 'return'}
    assert {m.path for m in one} == {'vgg_slim/pkg/mod.py'}


def test_every_equivalent_mutant_has_a_reason():
  path = mutation.ROOT / mutation.EQUIVALENT
  keys = [
    line
    for line in path.read_text(encoding='utf-8').splitlines()
    if line and not line.startswith(('#', ' '))
  ]
  judged = mutation.read_equivalent(path)
  assert sorted(judged) == sorted(keys)
  assert all(len(reason) > 10 for reason in judged.values())
  if not (mutation.ROOT / 'README.md').exists():
    pytest.skip('Bazel only shows a test its own dependencies')
  assert all(pathlib.Path(mutation.ROOT, key.partition(':')[0]).exists() for key in keys)
