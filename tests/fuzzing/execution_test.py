import logging
import os
import signal
import subprocess
import sys

import pytest

from tests.fuzzing import execution
from vgg_slim.errors import DataError


def refuse():
  raise DataError('no')


def fail():
  raise KeyError('x')


def allocate():
  return bytearray(8 << 30)


def hide():
  try:
    allocate()
  except MemoryError as error:
    raise DataError('damaged') from error


def flood():
  logging.getLogger('vgg_slim').warning('x' * 10_000)


@pytest.fixture
def path(tmp_path):
  path = tmp_path / 'file'
  path.write_bytes(b'honest')
  return path


@pytest.mark.parametrize(
  ('read', 'outcome', 'fault'),
  [
    (refuse, 'refused', None),
    (lambda: None, 'read', None),
    (fail, 'fault', 'KeyError'),
    (allocate, 'fault', 'MemoryError'),
    (hide, 'refused', 'MemoryError'),
    (flood, 'read', 'a warning of 10000 characters'),
  ],
)
def test_only_other_errors_count_as_faults(path, read, outcome, fault):
  result = execution.fuzz(execution.Reader(path, read), range(1), seed=0)
  assert list(result.outcomes) == [outcome]
  assert [text.startswith(fault or 'x') for text in result.faults.values()] == [True] * bool(fault)
  assert path.read_bytes() == b'honest'


def test_memory_is_no_fault_of_a_reader_that_has_a_child(path):
  reader = execution.Reader(path, hide, has_child=True)
  assert not execution.fuzz(reader, range(1), seed=0).faults


def test_samples_take_turns(path):
  seen = []
  reader = execution.Reader(
    path, lambda: seen.append(path.read_bytes()), lambda content, _: content, (b'a', b'b')
  )
  execution.fuzz(reader, range(4), seed=0)
  assert seen == [b'a', b'b', b'a', b'b']


# In a process without threads, which may fork.
CRASHES = f"""
import os, pathlib, sys
sys.path.insert(0, {os.getcwd()!r})
from tests.fuzzing import execution
path = pathlib.Path(sys.argv[1])
def read():
  if path.read_bytes() == b'3':
    os.abort()
samples = tuple(str(i).encode() for i in range(5))
for has_child in (False, True):
  reader = execution.Reader(path, read, lambda content, _: content, samples, has_child)
  result = execution.fuzz_in_children(reader, range(10), 0)
  print(dict(result.outcomes), list(result.faults))
bounded = execution.fuzz_in_children(reader, range(10**9), 0, seconds=0.2)
print(sum(bounded.outcomes.values()) < 10**9)
"""


def test_a_crash_is_a_fault_unless_the_program_has_a_child_as_well(path):
  run = subprocess.run(
    [sys.executable, '-c', CRASHES, str(path)], capture_output=True, text=True, timeout=60
  )
  abort = f"{{'read': 8, 'child {signal.Signals.SIGABRT.name}': 2}}"
  assert run.stdout.splitlines() == [f'{abort} [3, 8]', f'{abort} []', 'True'], run.stderr
  assert path.read_bytes() == b'honest'
