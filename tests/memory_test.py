import pathlib

import pytest

from vgg_slim import memory

GIB = 1024**3


def write(root, files):
  for name, text in files.items():
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


MACHINE = {'proc/meminfo': 'MemTotal: 99 kB\nMemAvailable: 4194304 kB\nSwapFree: 1048576 kB\n'}


def test_available_memory_includes_swap(tmp_path):
  write(tmp_path, MACHINE)
  assert memory.available_bytes(tmp_path) == 5 * GIB


def test_the_tightest_control_group_limits_it(tmp_path):
  group = 'sys/fs/cgroup/jobs/mine'
  write(
    tmp_path,
    {
      **MACHINE,
      'proc/self/cgroup': '0::/jobs/mine\n',
      f'{group}/memory.max': 'max\n',
      f'{group}/memory.current': f'{GIB}\n',
      f'{group}/memory.stat': 'anon 5\ninactive_file 7\n',
      'sys/fs/cgroup/jobs/memory.max': f'{3 * GIB}\n',
      'sys/fs/cgroup/jobs/memory.current': f'{2 * GIB}\n',
      'sys/fs/cgroup/jobs/memory.stat': f'inactive_file {GIB // 2}\nactive_file 9\n',
    },
  )
  assert memory.available_bytes(tmp_path) == GIB + GIB // 2


def test_control_groups_version_1(tmp_path):
  group = 'sys/fs/cgroup/memory/mine'
  write(
    tmp_path,
    {
      **MACHINE,
      'proc/self/cgroup': '5:cpu,cpuacct:/x\n4:memory:/mine\n',
      f'{group}/memory.limit_in_bytes': f'{2 * GIB}',
      f'{group}/memory.usage_in_bytes': f'{GIB}',
      f'{group}/memory.stat': 'inactive_file 1\ntotal_inactive_file 1024\n',
    },
  )
  assert memory.available_bytes(tmp_path) == GIB + 1


def test_none_if_the_system_does_not_provide_it(tmp_path):
  assert memory.available_bytes(tmp_path) is None


@pytest.mark.skipif(not pathlib.Path('/proc/meminfo').exists(), reason='needs Linux')
def test_the_value_on_this_machine_is_plausible():
  assert 0 < memory.available_bytes() < 2**50
