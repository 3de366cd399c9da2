"""Rows about images/s, beside Keras and torch on the same device, in turns."""

import functools
from typing import Any

from benchmarks.gpu_check import devices
from benchmarks.gpu_check.rows import NotPossibleError
from benchmarks.gpu_check.settings import NUM_CLASSES, Check
from vgg_slim.benchmarks import report, turns, worker
from vgg_slim.benchmarks.systems import OURS
from vgg_slim.benchmarks.workload import Workload
from vgg_slim.nets.summary import format_bytes

_PEERS = ('keras', 'torch')
_TURNS = 2
_WARMUP = 3


def _check(what: str, precision: str, check: Check) -> dict[str, Any]:
  size = check.size
  load = Workload(
    what,
    size.model,
    size.timed_batch_size,
    size.image_size,
    NUM_CLASSES,
    size.fc_units,
    precision,
  )
  cases = [turns.Case(name, load) for name in (OURS, *_PEERS)]
  outcomes = turns.run_turns(cases, size.timed_batches, _WARMUP, _TURNS, worker.__name__)
  absent = {one.system: one.absent for one in outcomes if one.absent}
  if OURS in absent:
    raise NotPossibleError(str(absent[OURS]))
  rows = {row.system: row for row in report.make_rows(outcomes)}
  parts = []
  for name, row in rows.items():
    ratio = f' (vgg_slim is {row.ours})' if row.ours else ''
    parts.append(f'{name} {row.images_per_second:.1f}{ratio}')
  parts += [f'{name}: {reason}' for name, reason in absent.items()]
  peaks = {name: row.peak_bytes for name, row in rows.items() if row.peak_bytes}
  if OURS in peaks:
    parts.append(f'{format_bytes(peaks[OURS])} of main memory')
  return {
    'where': devices.place(),
    'reason': f'images/s: {", ".join(parts)}',
    'images_per_second': {name: row.images_per_second for name, row in rows.items()},
    'ratios': {name: row.ours._asdict() for name, row in rows.items() if row.ours},
    'absent': absent,
    'main_memory_peak_bytes': peaks,
    'batch_size': size.timed_batch_size,
  }


check_train_float32 = functools.partial(_check, 'train_step', 'float32')
check_train_float16 = functools.partial(_check, 'train_step', 'float16')
check_train_bfloat16 = functools.partial(_check, 'train_step', 'bfloat16')
check_forward_float32 = functools.partial(_check, 'forward', 'float32')
check_forward_float16 = functools.partial(_check, 'forward', 'float16')
