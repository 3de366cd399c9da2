"""The machine of a benchmark, and what else it was doing meanwhile. No TensorFlow."""

import dataclasses
import os
import platform

from vgg_slim import processor
from vgg_slim.processor import Activity
from vgg_slim.wording import counted

# Flags of /proc/cpuinfo that decide how fast convolutions and matrix products are.
INSTRUCTION_SETS = (
  'avx2',
  'fma',
  'avx512f',
  'avx512_vnni',
  'avx512_bf16',
  'avx512_fp16',
  'amx_tile',
  'amx_int8',
  'amx_bf16',
  'amx_fp16',
)


@dataclasses.dataclass(frozen=True)
class Machine:
  """The machine and how busy it was.

  Attributes:
    processor: name of the processor.
    cores: number of processors that this process may use.
    instruction_sets: those of INSTRUCTION_SETS that the processor has.
    before: activity before the measurements.
    after: activity after them; the load average then includes the measurements themselves.
  """

  processor: str
  cores: int
  instruction_sets: tuple[str, ...]
  before: Activity
  after: Activity

  def __str__(self) -> str:
    parts = [f'{self.processor}, {counted(self.cores, "core")}']
    if self.instruction_sets:
      parts[0] += f', {" ".join(self.instruction_sets)}'
    loads = self.before.load_average, self.after.load_average
    if None not in loads:
      parts.append(f'load average {loads[0]:.2f} before and {loads[1]:.2f} after')
    stolen = self.after.stolen_since(self.before)
    if stolen is not None:
      parts.append(f'{stolen:.1%} of the processor time stolen by other virtual machines')
    return f'Machine: {"; ".join(parts)}.'

  def values(self) -> dict[str, object]:
    """The values for a JSON file."""
    return {
      **vars(self),
      'before': self.before._asdict(),
      'after': self.after._asdict(),
      'stolen': self.after.stolen_since(self.before),
    }


def observe(before: Activity) -> Machine:
  """Describes this machine after measurements.

  Args:
    before: `processor.activity()` before the measurements.
  """
  flags = processor.flags() or frozenset()
  affinity = getattr(os, 'sched_getaffinity', None)
  return Machine(
    processor.model() or platform.processor() or platform.machine(),
    len(affinity(0)) if affinity else os.cpu_count() or 1,
    tuple(name for name in INSTRUCTION_SETS if name in flags),
    before,
    processor.activity(),
  )
