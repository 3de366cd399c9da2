"""Kills commands again and again, and checks what is left of their outputs.

    python -m tests.faults --kills=500 --seed=0      (or `make faults`)
    python -m tests.faults --kills=20 --commands train_head predict

Every command is killed by SIGKILL, half of the time at a random moment and half of the time right
before it changes a file, and started again until it ends. After each kill, every output has to be
what it was before or what an uninterrupted command writes. At the end, the folder has to hold the
same files as after an uninterrupted command, with the same content, and the temporary folder none.

--accidents=N has other things happen to them: full disks, signals and the like, see `accidents`.

`make kills` kills training alone, also inside saves, and compares its checkpoints.
"""

import argparse
import importlib
import pathlib
import random
import shutil
import tempfile
from collections.abc import Sequence

from tests.faults import accidents, campaign, subjects


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
  parser = argparse.ArgumentParser(description='Kills commands and compares their outputs.')
  parser.add_argument('--kills', type=int, default=500, help='number of kills, of all commands')
  parser.add_argument('--accidents', type=int, default=0, help='number per kind and command')
  parser.add_argument('--seed', type=int, default=0, help='of the moments')
  parser.add_argument(
    '--commands', nargs='+', default=[''], help='beginnings of names, such as train_head'
  )
  return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
  parsed = parse_arguments(arguments)
  chosen = {n: s for n, s in subjects.SUBJECTS.items() if n.startswith(tuple(parsed.commands))}
  for module in subjects.PRELOADED:
    importlib.import_module(module)
  folder = pathlib.Path(tempfile.mkdtemp(prefix='faults_'))
  print(f'The folders are in {folder}, which is kept if a check fails.', flush=True)
  subjects.make_inputs(folder)
  total = sum(subject.share for subject in chosen.values())
  if parsed.kills:
    print(campaign.HEADING)
  for name, subject in chosen.items() if parsed.kills else ():
    kills = -(-parsed.kills * subject.share // total)
    draw = random.Random(f'{parsed.seed}/{name}')
    print(campaign.Campaign(subject, name, folder, draw).run(kills).row(name), flush=True)
  if parsed.accidents:
    draw = random.Random(parsed.seed)
    series = {n: accidents.Series(s, n, folder, draw) for n, s in chosen.items()}
    print(accidents.HEADING)
    for row in accidents.run_all(series, parsed.accidents):
      print(row, flush=True)
  shutil.rmtree(folder)


if __name__ == '__main__':
  main()
