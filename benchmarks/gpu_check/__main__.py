"""Checks in ten minutes whether vgg_slim works on this machine's GPU, and how fast it is.

  make gpu-check
  .venv/bin/python -m benchmarks.gpu_check --output=build/gpu_check.json
  .venv/bin/python -m benchmarks.gpu_check --only=reference,float16 --size=thin

Each row runs in a process of its own with a time limit, so that an error or a hang ends one row.
Rows that compare numbers do so with those that the CPU computes in float32. Without a GPU it runs
to its end as well: the rows then say that they ran on the CPU, and nothing about a GPU.
"""

import argparse
import pathlib
import signal
import sys
import tempfile
import time
from collections.abc import Sequence

from benchmarks.gpu_check import report, rows, runner
from benchmarks.gpu_check.rows import Outcome
from benchmarks.gpu_check.settings import SIZES
from vgg_slim import processor
from vgg_slim.benchmarks import machine
from vgg_slim.commands import terminal_tables


def main(arguments: Sequence[str]) -> int:
  """Runs the check; returns the exit code: 1 if a row failed."""
  options = _parse(arguments)
  started, before = time.monotonic(), processor.activity()
  selected = [row for row in rows.ROWS if row.name in (options.only or rows.BY_NAME)]
  selected = [row for row in selected if row.name != rows.DEVICE]

  def show(outcome: Outcome) -> None:
    print(f'{outcome.status}: {outcome.name} ({outcome.seconds:.0f} s)', flush=True)

  with tempfile.TemporaryDirectory(prefix='gpu_check_') as name:
    folder = pathlib.Path(name)
    # First, since the GPU decides about the size of the networks of the others.
    first = runner.run_rows([rows.BY_NAME[rows.DEVICE]], 'thin', folder, options.seconds, show)
    size = options.size or ('full' if first[0].status == rows.OK else 'thin')
    left = options.seconds - (time.monotonic() - started)
    outcomes = first + runner.run_rows(selected, size, folder, left, show, first)
  seconds = time.monotonic() - started
  here = machine.observe(before)
  cells = [report.cells(outcome) for outcome in outcomes]
  terminal_tables.print_table(
    report.HEADINGS, cells, f'GPU check, {size} networks', len(report.HEADINGS)
  )
  print(here)
  print(report.summary(outcomes))
  report.write(options.output, outcomes, size, here, seconds)
  print(f'Wrote {options.output}.')
  return int(any(outcome.status == rows.FAILED for outcome in outcomes))


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
  parser = argparse.ArgumentParser(
    prog='gpu_check', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
  )
  parser.add_argument(
    '--output', type=pathlib.Path, default=pathlib.Path('build/gpu_check.json'), help='JSON file'
  )
  parser.add_argument(
    '--size', choices=SIZES, help='size of the networks; full with a GPU, thin without'
  )
  parser.add_argument(
    '--seconds', type=float, default=600.0, help='time limit of all rows together'
  )
  parser.add_argument(
    '--only', type=_names, default=[], help='comma-separated rows to run; all by default'
  )
  return parser.parse_args(arguments)


def _names(text: str) -> list[str]:
  names = text.split(',')
  unknown = [name for name in names if name not in rows.BY_NAME]
  if unknown:
    raise argparse.ArgumentTypeError(
      f'{", ".join(unknown)}: expected some of {", ".join(rows.BY_NAME)}'
    )
  return names


if __name__ == '__main__':
  # So that the process of a row, which has a session of its own, ends with this one.
  signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
  sys.exit(main(sys.argv[1:]))
