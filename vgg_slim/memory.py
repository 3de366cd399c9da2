"""How much more memory this process can use."""

import pathlib
from collections.abc import Iterator

_CGROUPS = 'sys/fs/cgroup'


def available_bytes(root: pathlib.Path = pathlib.Path('/')) -> int | None:
  """Bytes of memory and swap that are free or can be freed, within the limits of control groups.

  Args:
    root: folder that contains proc and sys.

  Returns:
    None if the system does not provide it, as is the case outside Linux.
  """
  limits = [*_machine_bytes(root), *_control_group_bytes(root)]
  return max(0, min(limits)) if limits else None


def _machine_bytes(root: pathlib.Path) -> Iterator[int]:
  try:
    lines = (root / 'proc/meminfo').read_text().splitlines()
  except OSError:
    return
  kibibytes = {name: int(rest.split()[0]) for name, _, rest in (li.partition(':') for li in lines)}
  if 'MemAvailable' in kibibytes:
    yield 1024 * (kibibytes['MemAvailable'] + kibibytes.get('SwapFree', 0))


def _control_group_bytes(root: pathlib.Path) -> Iterator[int]:
  """Yields limit minus usage of each group above this process; cached files count as unused."""
  for folder, limit, usage in _group_files(root):
    try:
      text = (folder / limit).read_text().strip()
      used = int((folder / usage).read_text())
      lines = (folder / 'memory.stat').read_text().splitlines()
    except (OSError, ValueError):
      continue
    cached = next((int(line.split()[1]) for line in lines if line.startswith(_INACTIVE)), 0)
    if text.isdigit():  # 'max' means no limit
      yield int(text) - used + cached


_INACTIVE = ('inactive_file ', 'total_inactive_file ')


def _group_files(root: pathlib.Path) -> Iterator[tuple[pathlib.Path, str, str]]:
  try:
    lines = (root / 'proc/self/cgroup').read_text().splitlines()
  except OSError:
    return
  for line in lines:
    _, controllers, path = line.split(':', 2)
    if controllers == '':
      top, files = root / _CGROUPS, ('memory.max', 'memory.current')
    elif 'memory' in controllers.split(','):
      top = root / _CGROUPS / 'memory'
      files = ('memory.limit_in_bytes', 'memory.usage_in_bytes')
    else:
      continue
    group = top / path.lstrip('/')
    for folder in (group, *group.parents):
      yield folder, *files
      if folder == top:
        break
