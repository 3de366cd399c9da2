import subprocess
import sys

import pytest

from vgg_slim.benchmarks import memory


def test_peak_is_the_high_water_mark_of_the_status_file(tmp_path):
  status = tmp_path / 'status'
  status.write_text('Name:\tpython\nVmPeak:\t  900 kB\nVmHWM:\t  123 kB\nVmRSS:\t 7 kB\n')
  assert memory.peak_bytes(status) == 123 * 1024
  assert memory.peak_bytes(tmp_path / 'absent') is None


@pytest.mark.skipif(sys.platform != 'linux', reason='the peak is read from /proc')
def test_peak_remains_after_the_memory_is_freed():
  program = (
    'from vgg_slim.benchmarks import memory; before = memory.peak_bytes(); '
    'block = bytearray(b"x") * 2**26; del block; print(before, memory.peak_bytes())'
  )
  run = subprocess.run(
    [sys.executable, '-c', program], capture_output=True, text=True, check=True, timeout=300
  )
  before, after = map(int, run.stdout.split())
  # Linux updates a process's page counters in batches, and may reuse pages that it already held.
  assert 0.9 * 2**26 < after - before < 1.5 * 2**26
