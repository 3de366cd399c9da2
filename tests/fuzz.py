"""Feeds damaged files to the readers of this project's own formats.

    python -m tests.fuzz --executions=20000 --seed=0      (or `make fuzz`)

A reader has to return, or to raise a VggSlimError, in time and without much memory. Whatever
else happens is printed with the number of the execution, which `--only=NUMBER` runs again alone.
"""

import argparse
import contextlib
import copy
import dataclasses
import json
import pathlib
import random
import resource
import signal
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tests import testing
from vgg_slim.checkpoints import contract, prefixes
from vgg_slim.configs import config
from vgg_slim.data import manifest
from vgg_slim.errors import VggSlimError, one_line
from vgg_slim.features import cache
from vgg_slim.training import history

_MAX_SECONDS = 10  # on a busy machine; honest files take milliseconds
_MAX_MEMORY = 2 << 30  # bytes more than at the start

_STRANGE_NUMBERS = (0, -1, 1, 0.5, 1e308, 10**15, 10**400, 2**63, -(2**31), 1e-320)
_STRANGE_TEXTS = ('', '..', '../../x', '/etc/passwd', '\x00', '\ud800', 'a' * 100_000, '=1+1', '\n')
_STRANGE_VALUES: tuple[Any, ...] = (
  None,
  True,
  False,
  [],
  {},
  [[]],
  *_STRANGE_NUMBERS,
  *_STRANGE_TEXTS,
)
_STRANGE_BYTES = (b'', b'\x00', b'\xff', b'\n', b'"', b'{', b'[' * 5000, b'9' * 5000, b'NaN', b'-')


@dataclasses.dataclass(frozen=True)
class Reader:
  """A reader and the file that it reads, which gets damaged.

  Attributes:
    path: the file; honest at first.
    read: reads it.
    is_json: whether values are exchanged, too, and not only bytes.
  """

  path: pathlib.Path
  read: Callable[[], Any]
  is_json: bool = False


@dataclasses.dataclass
class Result:
  """Counts of a reader's outcomes, and what it must not have done.

  Attributes:
    outcomes: number of executions by name of the outcome.
    faults: descriptions of the faults by execution.
  """

  outcomes: Counter = dataclasses.field(default_factory=Counter)
  faults: dict[int, str] = dataclasses.field(default_factory=dict)


def fuzz(reader: Reader, executions: range, seed: int) -> Result:
  """Reads one damaged file for each number in `executions`; the file is honest again afterwards."""
  result = Result()
  honest = reader.path.read_bytes()
  for number in executions:
    reader.path.write_bytes(damage(honest, reader.is_json, random.Random(f'{seed}/{number}')))
    outcome, fault = _execute(reader.read)
    result.outcomes[outcome] += 1
    if fault:
      result.faults[number] = fault
  reader.path.write_bytes(honest)
  return result


def damage(content: bytes, is_json: bool, draw: random.Random) -> bytes:
  """Returns the content of a file after one to three random changes, of values if it is JSON."""
  if is_json and draw.random() < 0.7:
    values = json.loads(content)
    for _ in range(draw.randint(1, 3)):
      values = _change_values(values, draw)
    return json.dumps(values).encode()
  for _ in range(draw.randint(1, 3)):
    content = _change_bytes(content, draw)
  return content


def _change_bytes(content: bytes, draw: random.Random) -> bytes:
  start, end = sorted(draw.randint(0, len(content)) for _ in range(2))
  piece = content[start:end]
  return draw.choice(
    (
      content[:start] + bytes([draw.randrange(256)]) + content[start + 1 :],
      content[:start] + draw.choice(_STRANGE_BYTES) + content[start + draw.randrange(4) :],
      content[:start],
      content[:start] + content[end:],
      content[:end] + piece + content[end:],
    )
  )


def _change_values(values: Any, draw: random.Random) -> Any:
  """Changes one member anywhere in `values`: replaces, removes, repeats or renames it."""
  if not isinstance(values, dict | list) or not values or draw.random() < 0.1:
    return copy.deepcopy(draw.choice(_STRANGE_VALUES))
  key = draw.choice(list(values) if isinstance(values, dict) else range(len(values)))
  act = draw.random()
  if act < 0.75:
    values[key] = _change_values(values[key], draw)
  elif act < 0.85:
    del values[key]
  elif isinstance(values, dict):
    values[draw.choice(('', 'x', f'{key} ', 'a' * 10_000))] = values[key]
  else:
    values += [copy.deepcopy(values[key])] * draw.choice((1, 1000))
  return values


def _execute(read: Callable[[], Any]) -> tuple[str, str | None]:
  """Returns the name of the outcome, and what is wrong with it."""
  start = time.monotonic()
  try:
    with _limits():
      read()
  except VggSlimError as error:
    return 'refused', None if one_line(error) else 'no message'
  except Exception as error:
    where = traceback.extract_tb(error.__traceback__)[-1]
    return 'fault', f'{type(error).__name__} at {where.filename}:{where.lineno}: {str(error)[:200]}'
  seconds = time.monotonic() - start
  return 'read', f'{seconds:.0f} s' if seconds > _MAX_SECONDS else None


@contextlib.contextmanager
def _limits() -> Iterator[None]:
  """Lets a reader that needs too much memory or time fail."""
  pages = int(pathlib.Path('/proc/self/statm').read_text(encoding='utf-8').split()[0])
  before = resource.getrlimit(resource.RLIMIT_AS)
  limit = pages * resource.getpagesize() + _MAX_MEMORY
  handler = signal.signal(signal.SIGALRM, _end_in_time)
  resource.setrlimit(resource.RLIMIT_AS, (limit, before[1]))
  signal.alarm(_MAX_SECONDS)
  try:
    yield
  finally:
    signal.alarm(0)
    resource.setrlimit(resource.RLIMIT_AS, before)
    signal.signal(signal.SIGALRM, handler)


def _end_in_time(number: int, frame: object) -> None:
  raise TimeoutError(f'more than {_MAX_SECONDS} s')


def make_readers(folder: pathlib.Path) -> dict[str, Reader]:
  """Writes an honest file for every reader into `folder`; returns the readers by name."""
  data_dir = str(folder / 'data')
  _, described = testing.make_data_set(folder / 'data', per_class=4)
  settings = testing.train_config(data_dir, described)
  config.write_train_config(str(folder), settings)
  contract_path, features_path = folder / 'contract.json', folder / 'train.npz'
  made = testing.make_contract('vgg_a@4', 2, 32, source=None)
  contract.write_contract(contract_path, made)
  key = cache.FeatureKey('ab', made.network, 'pool5', made.preprocessing, 'f1', ('a', 'b'))
  cache.open_folder(folder, key)
  values = cache.FeatureSet(
    np.ones([2, 1, 1, 3], np.float32), np.zeros([2], np.int32), np.array(['a', 'b'])
  )
  cache.write_features(features_path, values.features.shape, [values])
  row = history.EpochMetrics(10, 1.0, 0.5, 0.9, 0.6, None, 0.01, 100.0)
  history.MetricsFile(str(folder), 0).add(row)
  prefixes.write_state(str(folder), ['model.ckpt-1', 'model.ckpt-2'])
  return {
    'manifest': Reader(
      folder / 'data' / manifest.MANIFEST_FILE, lambda: manifest.read_manifest(data_dir), True
    ),
    'contract': Reader(contract_path, lambda: contract.read_contract(contract_path), True),
    'config': Reader(
      folder / config.CONFIG_FILE, lambda: config.read_train_config(str(folder)), True
    ),
    'features.json': Reader(folder / cache.KEY_FILE, lambda: cache.read_key(folder), True),
    'features': Reader(features_path, lambda: cache.read_features(features_path)),
    'metrics': Reader(folder / history.METRICS_FILE, lambda: history.read_history(str(folder))),
    'checkpoint': Reader(folder / prefixes.STATE_FILE, lambda: prefixes.kept(str(folder))),
  }


def _report(name: str, result: Result) -> None:
  print(f'{name}: {", ".join(f"{count} {kind}" for kind, count in result.outcomes.items())}')
  kinds = Counter(fault.partition(': ')[0] for fault in result.faults.values())
  for kind, count in kinds.most_common():
    number = next(n for n, fault in result.faults.items() if fault.startswith(kind))
    print(f'  {count} times, first --only={number}: {result.faults[number]}')


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--executions', type=int, default=20_000, help='per reader')
  parser.add_argument('--seed', type=int, default=0)
  parser.add_argument('--readers', default='', help='names with commas; all by default')
  parser.add_argument('--only', type=int, help='number of the one execution to run')
  options = parser.parse_args()
  executions = range(options.executions)
  if options.only is not None:
    executions = range(options.only, options.only + 1)
  with tempfile.TemporaryDirectory() as name:
    readers = make_readers(pathlib.Path(name))
    faults = 0
    for chosen in options.readers.split(',') if options.readers else readers:
      result = fuzz(readers[chosen], executions, options.seed)
      _report(chosen, result)
      faults += len(result.faults)
  raise SystemExit(bool(faults))


if __name__ == '__main__':
  main()
