"""The table and the JSON file of the check. No TensorFlow."""

import dataclasses
import datetime
import json
import pathlib
from collections.abc import Sequence
from typing import Any

import vgg_slim
from benchmarks.gpu_check import rows
from benchmarks.gpu_check.rows import Outcome
from vgg_slim import files
from vgg_slim.benchmarks.machine import Machine

FORMAT = 1
HEADINGS = ('check', 'result', 'on', 'seconds', 'what was seen')


def cells(outcome: Outcome) -> list[str]:
  """An outcome as a table row, under HEADINGS."""
  where = {'': '', 'CPU': 'the CPU', 'GPU': 'the GPU'}[outcome.where]
  reason = outcome.reason or outcome.about
  return [outcome.name, outcome.status, where, f'{outcome.seconds:.0f}', reason]


def summary(outcomes: Sequence[Outcome]) -> str:
  """Counts the results, and says whether a GPU was involved."""
  statuses = [outcome.status for outcome in outcomes]
  counts = [f'{statuses.count(one)} {one}' for one in (rows.OK, rows.FAILED, rows.NOT_POSSIBLE)]
  on_gpu = any(outcome.where == 'GPU' for outcome in outcomes)
  proof = 'on a GPU' if on_gpu else 'on the CPU: this run says nothing about a GPU'
  return f'{", ".join(counts)}; {proof}.'


def write(
  path: pathlib.Path, outcomes: Sequence[Outcome], size: str, machine: Machine, seconds: float
) -> None:
  """Writes the JSON file; its folder is created if necessary."""
  devices = next((dict(one.values) for one in outcomes if one.name == 'device'), {})
  values: dict[str, Any] = {
    'format': FORMAT,
    'vgg_slim': vgg_slim.__version__,
    'finished': datetime.datetime.now(datetime.timezone.utc).isoformat(timespec='seconds'),
    'seconds': round(seconds, 1),
    'size': size,
    'machine': machine.values(),
    'device': devices,
    'rows': [dataclasses.asdict(outcome) for outcome in outcomes],
  }
  path.parent.mkdir(parents=True, exist_ok=True)
  files.write_text(path, f'{json.dumps(values, indent=2)}\n')
