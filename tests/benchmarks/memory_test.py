import subprocess
import sys

import pytest

from vgg_slim.benchmarks import memory


def test_reads_the_high_water_mark(tmp_path):
  status = tmp_path / 'status'
  status.write_text('Name:\tpython\nVmPeak:\t  900 kB\nVmHWM:\t  123 kB\nVmRSS:\t 7 kB\n')
  assert memory.peak_bytes(status) == 123 * 1024
  assert memory.peak_bytes(tmp_path / 'absent') is None


@pytest.mark.skipif(sys.platform != 'linux', reason='the mark is read from /proc')
def test_a_peak_stays_after_the_memory_is_given_back():
  program = (
    'from vgg_slim.benchmarks import memory; before = memory.peak_bytes(); '
    'block = bytearray(b"x") * 2**26; del block; print(before, memory.peak_bytes())'
  )
  run = subprocess.run(
    [sys.executable, '-c', program], capture_output=True, text=True, check=True, timeout=300
  )
  before, after = map(int, run.stdout.split())
  # Linux counts the pages of a process in batches, and some of the block was held before.
  assert 0.9 * 2**26 < after - before < 1.5 * 2**26
