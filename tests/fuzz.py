"""Feeds damaged files to the readers of this project.

    python -m tests.fuzz --executions=20000 --seed=0      (or `make fuzz`)

A reader has to return, or to raise a VggSlimError, in time and without much memory. Whatever
else happens is printed with the number of the execution, which `--only=NUMBER` runs again alone.
The readers run in child processes, which may crash.
"""

import argparse
import importlib
import pathlib
import tempfile
import time
from collections import Counter

from tests.fuzzing import execution
from tests.fuzzing.execution import Reader, Result

# Imported when needed, since some need TensorFlow.
GROUPS = {
  'own': 'own_files',
  'sources': 'source_files',
  'images': 'image_files',
  'weights': 'weight_files',
  'checkpoints': 'checkpoint_files',
  'flags': 'flag_files',
}


def make_readers(group: str, folder: pathlib.Path) -> dict[str, Reader]:
  """Writes honest files into `folder`; returns the readers of a group of GROUPS by name."""
  return importlib.import_module(f'tests.fuzzing.{GROUPS[group]}').make_readers(folder)


def _report(name: str, result: Result, seconds: float) -> None:
  total = sum(result.outcomes.values())
  counts = ', '.join(f'{count} {kind}' for kind, count in result.outcomes.items())
  print(f'{name}: {total} in {seconds:.0f} s: {counts}', flush=True)
  kinds = Counter(fault.partition(': ')[0] for fault in result.faults.values())
  for kind, count in kinds.most_common():
    number = next(n for n, fault in result.faults.items() if fault.startswith(kind))
    print(f'  {count} times, first --only={number}: {result.faults[number]}', flush=True)


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--executions', type=int, default=20_000, help='per reader')
  parser.add_argument('--seconds', type=float, default=float('inf'), help='of each reader')
  parser.add_argument('--seed', type=int, default=0)
  parser.add_argument('--groups', default=','.join(GROUPS), help='names with commas')
  parser.add_argument('--readers', default='', help='names with commas; all by default')
  parser.add_argument('--only', type=int, help='number of the one execution to run, in one process')
  options = parser.parse_args()
  wanted = options.readers.split(',') if options.readers else None
  faults = 0
  for group in options.groups.split(','):
    with tempfile.TemporaryDirectory() as name:
      for reader_name, reader in make_readers(group, pathlib.Path(name)).items():
        if wanted and reader_name not in wanted:
          continue
        start = time.monotonic()
        if options.only is not None:
          result = execution.fuzz(reader, range(options.only, options.only + 1), options.seed)
        else:
          executions = range(options.executions)
          result = execution.fuzz_in_children(reader, executions, options.seed, options.seconds)
        _report(reader_name, result, time.monotonic() - start)
        faults += len(result.faults)
  raise SystemExit(bool(faults))


if __name__ == '__main__':
  main()
