"""Measures how many small faults the tests notice.

    python -m tests.mutation --package=training --sample=75 --seed=0      (or `make mutants`)

Draws mutants of the package's modules (tests/mutants.py) and runs the test file of the same name
for each, in a copy of the repository with the fault, so that programs that a test starts have it
too. One line of JSON per mutant records whether it was caught. The same command continues an
interrupted run.

TensorFlow is imported once, and each mutant runs in a fork of that process. That is safe as long as
the parent opens no session: its only other threads are those of NumPy's and SciPy's BLAS, which
restart by themselves after a fork.
"""

import argparse
import contextlib
import importlib
import itertools
import json
import math
import os
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import time
import types
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest

from tests import mutants

ROOT = pathlib.Path(__file__).parents[1]
EQUIVALENT = 'tests/equivalent_mutants.txt'
NOT_COPIED = ('.git', '.venv', 'node_modules', 'build', 'dist', 'data', 'runs')
PRELOADED = ('tensorflow.compat.v1', 'tf_slim', 'tf_keras', 'sklearn.metrics', 'matplotlib.pyplot')
# Time limit against endless loops: a multiple of the time without a fault, and extra seconds for a
# busy machine.
LIMIT_FACTOR, LIMIT_EXTRA = 3, 20
_POLL_SECONDS = 0.02


def draw(root: pathlib.Path, package: str, sample: int, seed: int) -> list[mutants.Mutant]:
  """Returns `sample` mutants of the modules in `vgg_slim/<package>` that have a test file."""
  made = []
  for path in sorted((root / 'vgg_slim' / package).rglob('*.py')):
    relative = path.relative_to(root)
    if (root / test_file(relative)).exists():
      made += mutants.make_mutants(relative.as_posix(), path.read_text(encoding='utf-8'))
  # Kinds take turns, so that frequent ones (arguments) do not crowd out rare ones (boundaries).
  by_kind: dict[str, list[mutants.Mutant]] = {}
  random.Random(seed).shuffle(made)
  for mutant in made:
    by_kind.setdefault(mutant.kind, []).append(mutant)
  turns = itertools.zip_longest(*(by_kind[kind] for kind in sorted(by_kind)))
  return [mutant for turn in turns for mutant in turn if mutant][:sample]


def test_file(path: pathlib.PurePath) -> str:
  """The test file of the same name: tests/nets/vgg_test.py for vgg_slim/nets/vgg.py."""
  return pathlib.PurePath('tests', *path.parts[1:-1], f'{path.stem}_test.py').as_posix()


def importing_tests(root: pathlib.Path, path: str) -> list[str]:
  """Returns other test files that import the module, except those that run whole commands."""
  module = pathlib.PurePath(path).stem
  return [
    test.relative_to(root).as_posix()
    for test in sorted((root / 'tests').glob('*/*_test.py'))
    if test.parent.name not in ('integration', 'commands')
    and module in test.read_text(encoding='utf-8').split('\n\n\n')[0]
    and test.name != f'{module}_test.py'
  ]


def read_equivalent(path: pathlib.Path) -> dict[str, str]:
  """Returns the reasons why mutants do not change the behavior, by key."""
  judged, key = {}, ''
  for line in path.read_text(encoding='utf-8').splitlines():
    if line.startswith('  '):
      judged[key] = line.strip()
    elif line and not line.startswith('#'):
      key = line
  return judged


@contextlib.contextmanager
def repository_copy(root: pathlib.Path) -> Iterator[pathlib.Path]:
  """Yields a copy of the sources in `root`, which is the working directory within the block."""
  before = pathlib.Path.cwd()
  with tempfile.TemporaryDirectory(prefix='mutation_') as folder:
    copy = pathlib.Path(folder, 'repository')
    copy.mkdir()
    for source in root.iterdir():
      if source.name in NOT_COPIED or source.is_symlink():  # Bazel's outputs are links
        continue
      if source.is_dir():
        ignore = shutil.ignore_patterns('__pycache__')
        shutil.copytree(source, copy / source.name, ignore=ignore)
      else:
        shutil.copy(source, copy)
    os.chdir(copy)
    try:
      yield copy
    finally:
      os.chdir(before)


def run_tests(copy: pathlib.Path, files: list[str], limit: float | None = None) -> str:
  """Runs test files in a fork of this process; returns 'passed', 'failed' or 'timeout'."""
  with tempfile.TemporaryDirectory(prefix='mutation_tmp_') as scratch:
    process = os.fork()
    if process == 0:
      _run_in_child(copy, files, scratch)
    try:
      return _wait(process, limit)
    finally:
      with contextlib.suppress(ProcessLookupError):
        os.killpg(process, signal.SIGKILL)  # processes that the tests left behind


def _run_in_child(copy: pathlib.Path, files: list[str], scratch: str) -> None:
  code = 1
  try:
    os.setsid()
    output = os.open(pathlib.Path(copy).parent / 'output.txt', os.O_CREAT | os.O_TRUNC | os.O_RDWR)
    null = os.open(os.devnull, os.O_RDONLY)
    for descriptor, stream in ((null, 0), (output, 1), (output, 2)):
      os.dup2(descriptor, stream)
    for name in [name for name in sys.modules if name.partition('.')[0] == 'tests']:
      del sys.modules[name]
    # Processes started by `spawn` import the main module of this process.
    sys.modules['__main__'] = types.ModuleType('__main__')
    sys.path[:] = [str(copy), *(p for p in sys.path if p not in ('', str(ROOT)))]
    os.environ['TMPDIR'] = tempfile.tempdir = scratch
    os.environ['PYTHONPATH'] = str(copy)
    arguments = ['-x', '-q', '-p', 'no:cacheprovider', '-p', 'no:xdist', f'--basetemp={scratch}/t']
    code = int(pytest.main([*arguments, *files]))
  finally:
    os._exit(code)


def _wait(process: int, limit: float | None) -> str:
  waited = 0.0  # not a clock, which would continue while both processes are suspended
  while waited < (limit or math.inf):
    done, status = os.waitpid(process, os.WNOHANG)
    if done:
      return 'passed' if status == 0 else 'failed'
    time.sleep(_POLL_SECONDS)
    waited += _POLL_SECONDS
  os.killpg(process, signal.SIGKILL)
  os.waitpid(process, 0)
  return 'timeout'


class Judge:
  """Runs the tests of mutants in `copy`, after measuring how long they take without a fault."""

  def __init__(self, copy: pathlib.Path, with_importers: bool) -> None:
    self._copy = copy
    self._with_importers = with_importers
    self._plain: dict[str, float] = {}  # test file -> seconds

  def __call__(self, mutant: mutants.Mutant) -> str:
    """Returns 'caught', 'caught elsewhere', 'survived' or 'timeout'."""
    own = test_file(pathlib.PurePath(mutant.path))
    outcome = self._run(mutant, own)
    if outcome == 'passed' and self._with_importers:
      others = importing_tests(self._copy, mutant.path)
      outcomes = (self._run(mutant, other) for other in others)
      return 'caught elsewhere' if any(o != 'passed' for o in outcomes) else 'survived'
    return {'passed': 'survived', 'failed': 'caught'}.get(outcome, outcome)

  def _run(self, mutant: mutants.Mutant, test: str) -> str:
    limit = LIMIT_FACTOR * self._plain_seconds(test) + LIMIT_EXTRA
    file = self._copy / mutant.path
    plain = file.read_bytes()
    file.write_text(mutant.source, encoding='utf-8')
    try:
      return run_tests(self._copy, [test], limit)
    finally:
      file.write_bytes(plain)

  def _plain_seconds(self, test: str) -> float:
    if test not in self._plain:
      start = time.monotonic()
      outcome = run_tests(self._copy, [test])
      if outcome != 'passed':
        output = (self._copy.parent / 'output.txt').read_text(encoding='utf-8', errors='replace')
        raise SystemExit(f'{output[-3000:]}\n{test} fails even without a fault.')
      self._plain[test] = time.monotonic() - start
    return self._plain[test]


def measure(arguments: argparse.Namespace, output: pathlib.Path) -> None:
  """Runs the mutants that are not in `output` yet, adds a line for each, and prints the score."""
  sample = draw(arguments.root, arguments.package, arguments.sample, arguments.seed)
  equivalent = read_equivalent(ROOT / EQUIVALENT)
  results = read_results(output)
  skipped = {*equivalent}
  skipped |= {k for k, r in results.items() if not (arguments.again and r['outcome'] == 'survived')}
  end = time.monotonic() + arguments.seconds
  with repository_copy(arguments.root) as copy, output.open('a', encoding='utf-8') as file:
    judge = Judge(copy, arguments.importers)
    for mutant in sorted(sample):
      if mutant.key in skipped or time.monotonic() > end:
        continue
      record = {**mutant._asdict(), 'key': mutant.key, 'outcome': judge(mutant)}
      del record['source']
      results[mutant.key] = record
      file.write(json.dumps(record) + '\n')
      file.flush()
      print(f'{record["outcome"]:9} {mutant.path}:{mutant.line} {mutant.kind}', flush=True)
  print(report(sample, results, equivalent))


def read_results(output: pathlib.Path) -> dict[str, dict]:
  """Returns the newest record of each mutant by its key."""
  lines = output.read_text(encoding='utf-8').splitlines() if output.exists() else []
  return {record['key']: record for record in map(json.loads, lines)}


def report(
  sample: list[mutants.Mutant], results: dict[str, dict], equivalent: dict[str, str]
) -> str:
  """Returns a list of the survivors, and the score."""
  outcomes: Counter[str] = Counter()
  lines = []
  for mutant in sorted(sample):
    outcome = results.get(mutant.key, {}).get('outcome', 'not run')
    outcome = 'equivalent' if mutant.key in equivalent else outcome
    outcomes[outcome] += 1
    if outcome == 'survived':
      lines += [f'{mutant.path}:{mutant.line} {mutant.kind}']
      lines += [f'  - {mutant.before}', f'  + {mutant.after}']
  counts = ', '.join(f'{count} {outcome}' for outcome, count in sorted(outcomes.items()))
  noticed = outcomes['caught'] + outcomes['caught elsewhere'] + outcomes['timeout']
  judged = noticed + outcomes['survived']
  share = f'{noticed / judged:.1%}' if judged else 'none'
  return '\n'.join(
    [*lines, f'{len(sample)} mutants: {counts}. {share} of those that count were caught.']
  )


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
  parser = argparse.ArgumentParser(description='Measures how many small faults the tests notice.')
  parser.add_argument('--package', required=True, help='folder in vgg_slim, such as training')
  parser.add_argument('--sample', type=int, default=75, help='number of mutants')
  parser.add_argument('--seed', type=int, default=0, help='random seed of the sample')
  parser.add_argument('--root', type=pathlib.Path, default=ROOT, help='repository to measure')
  parser.add_argument('--output', type=pathlib.Path, help='file of JSON lines; in build by default')
  parser.add_argument('--importers', action='store_true', help='also run tests that import it')
  parser.add_argument('--again', action='store_true', help='run survivors again')
  parser.add_argument(
    '--seconds', type=float, default=math.inf, help='when to stop starting mutants'
  )
  return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
  parsed = parse_arguments(arguments)
  name = f'mutants_{parsed.package}_{parsed.seed}.jsonl'
  output = (parsed.output or ROOT / 'build' / name).absolute()
  output.parent.mkdir(parents=True, exist_ok=True)
  # Bytecode of a mutant could be used for the next one, if size and second of both are equal.
  sys.dont_write_bytecode = True
  os.environ['PYTHONDONTWRITEBYTECODE'] = '1'
  for module in PRELOADED:
    importlib.import_module(module)
  measure(parsed, output)


if __name__ == '__main__':
  main()
