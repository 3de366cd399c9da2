"""The processor's name and instruction sets, and how busy it is; from /proc, without TensorFlow."""

import os
import pathlib
from typing import NamedTuple

# Flags of the instruction sets that multiply numbers in bfloat16, with their usual names.
BFLOAT16 = {'avx512_bf16': 'AVX-512 BF16', 'amx_bf16': 'AMX'}

_ROOT = pathlib.Path('/')
# The flag of each kind of processors; a processor is of the last kind whose flag it has.
_KINDS = {
  'avx2': 'avx2',
  'avx512': 'avx512f',
  'avx512_bf16': 'avx512_bf16',
  'amx_bf16': 'amx_bf16',
}
KINDS = tuple(_KINDS)
_STEAL = 7  # index of the time that the hypervisor took, among the times of /proc/stat
_TIMES = 8  # the times after that of `steal` are already part of the first ones


class Activity(NamedTuple):
  """What else a machine was doing at one moment; None for what the system does not report.

  Attributes:
    load_average: mean number of processes that ran or waited to run during the last minute.
    steal_seconds: processor time since the start of the machine during which its virtual
      processors were ready to run but the host ran something else.
    total_seconds: processor time since the start of the machine, idle time included.
  """

  load_average: float | None
  steal_seconds: float | None
  total_seconds: float | None

  def stolen_since(self, earlier: 'Activity') -> float | None:
    """The share of the processor time since `earlier` that the host took, 0 to 1."""
    if self.steal_seconds is None or self.total_seconds is None:
      return None
    if earlier.steal_seconds is None or earlier.total_seconds is None:
      return None
    total = self.total_seconds - earlier.total_seconds
    return (self.steal_seconds - earlier.steal_seconds) / total if total > 0 else 0.0


def flags(root: pathlib.Path = _ROOT) -> frozenset[str] | None:
  """Returns the flags of the first processor; None on systems other than Linux on x86."""
  values = _first_value('flags', root)
  return None if values is None else frozenset(values.split())


def kind(root: pathlib.Path = _ROOT) -> str | None:
  """Returns which of KINDS the first processor is; None if it is none of them, or unknown."""
  own = flags(root) or frozenset()
  return next((name for name in reversed(KINDS) if _KINDS[name] in own), None)


def has_bfloat16(root: pathlib.Path = _ROOT) -> bool:
  """Whether the processor is known to multiply numbers in bfloat16."""
  return not (flags(root) or frozenset()).isdisjoint(BFLOAT16)


def model(root: pathlib.Path = _ROOT) -> str | None:
  """Returns the name of the first processor, such as 'AMD EPYC 9R45'; None where it is unknown."""
  return _first_value('model name', root)


def activity(root: pathlib.Path = _ROOT) -> Activity:
  """Returns how busy the machine is now."""
  try:
    load = float((root / 'proc/loadavg').read_text(encoding='ascii').split()[0])
  except (OSError, ValueError, IndexError):
    load = None
  try:
    line = (root / 'proc/stat').read_text(encoding='ascii').partition('\n')[0]
    times = [int(ticks) / os.sysconf('SC_CLK_TCK') for ticks in line.split()[1 : 1 + _TIMES]]
    return Activity(load, times[_STEAL], sum(times))
  except (OSError, ValueError, IndexError):
    return Activity(load, None, None)


def _first_value(name: str, root: pathlib.Path) -> str | None:
  try:
    lines = (root / 'proc/cpuinfo').read_text(encoding='utf-8').splitlines()
  except OSError:
    return None
  pairs = (line.partition(':') for line in lines)
  return next((value.strip() for key, _, value in pairs if key.strip() == name), None)
