import re
import subprocess
import sys

import pytest

from tests import fuzz
from tests.fuzzing import execution
from vgg_slim import child_processes

EXECUTIONS = range(60)  # `make fuzz` runs 20,000
# The others read by code in C, which could crash.
IN_THIS_PROCESS = ('own', 'sources')


@pytest.mark.parametrize('group', IN_THIS_PROCESS)
def test_a_damaged_file_is_read_or_refused(tmp_path, group):
  readers = fuzz.make_readers(group, tmp_path)
  assert len(readers) > 8
  for name, reader in readers.items():
    result = execution.fuzz(reader, EXECUTIONS, seed=0)
    assert not result.faults, name
    assert sum(result.outcomes.values()) == len(EXECUTIONS)
    assert result.outcomes['refused'] or name == 'checkpoint', name


def test_a_damaged_file_crashes_no_process():
  groups = [group for group in fuzz.GROUPS if group not in IN_THIS_PROCESS]
  command = [sys.executable, '-m', 'tests.fuzz', f'--groups={",".join(groups)}', '--executions=40']
  run = subprocess.run(
    command, capture_output=True, text=True, timeout=300, env=child_processes.environment()
  )
  assert run.returncode == 0, run.stdout + run.stderr[-1000:]
  counts = re.findall(r'^(.*): 40 in ', run.stdout, re.MULTILINE)
  assert {'PNG', 'JPEG', 'TIFF', 'weights.h5', 'weights.npz', 'checkpoint.index'} <= set(counts)
